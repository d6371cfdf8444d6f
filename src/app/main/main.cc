#include "app/command.h"

int main(int argc, char** argv) { return thurn::app::run_command_line(argc, argv); }
