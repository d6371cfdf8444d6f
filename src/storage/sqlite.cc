#include "storage/sqlite.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

namespace thurn::storage {
namespace {

using base::ErrorKind;
using base::Result;

ErrorKind kind_of(int code) {
    switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_SCHEMA:
        case SQLITE_ERROR:  // a table or column of ours is not there
            return ErrorKind::corrupt;
        case SQLITE_FULL:
            return ErrorKind::full;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return ErrorKind::refused;
        case SQLITE_CONSTRAINT:
            return ErrorKind::exists;
        default:
            return ErrorKind::disk;
    }
}

/// A root that makes the file for the server gives it to whoever owns the folder, or the server could not open it.
void hand_over(int file, const std::filesystem::path& path) {
    struct stat folder{};
    if (::geteuid() != 0 || ::stat(path.parent_path().c_str(), &folder) != 0) return;
    if (::fchown(file, folder.st_uid, folder.st_gid) != 0) return;  // then it stays root's, and opening it will say so
}

Result<void> make_private_file(const std::filesystem::path& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (file < 0 && errno == EEXIST) return {};
    if (file < 0) return base::fail(ErrorKind::disk, "cannot make " + path.string() + ": " + std::strerror(errno));
    hand_over(file, path);
    ::close(file);
    return {};
}

}  // namespace

Database::Database(Database&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

Database& Database::operator=(Database&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
}

Database::~Database() { sqlite3_close_v2(handle_); }

Result<Database> Database::open(const Options& options) {
    if (auto made = make_private_file(options.path); !made) return base::pass_on(made);
    sqlite3* handle = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int opened = sqlite3_open_v2(options.path.c_str(), &handle, flags, nullptr);
    Database database(handle);  // to be closed even when opening failed
    if (opened != SQLITE_OK) return base::fail(kind_of(opened), options.path.string() + ": " + sqlite3_errstr(opened));
    sqlite3_busy_timeout(handle, static_cast<int>(options.busy_timeout.count()));
    auto set_up =
        database.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF");
    if (!set_up) return base::fail(set_up.error().kind, options.path.string() + ": " + set_up.error().detail);
    return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* handle = nullptr;
    if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &handle, nullptr) != SQLITE_OK)
        return std::unexpected(last_error());
    return Statement(handle);
}

Result<void> Database::run(const char* sql) {
    if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return std::unexpected(last_error());
    return {};
}

base::Error Database::last_error() const {
    return {kind_of(sqlite3_extended_errcode(handle_)), std::string("directory database: ") + sqlite3_errmsg(handle_)};
}

std::int64_t Database::changes() const { return sqlite3_changes64(handle_); }
std::int64_t Database::last_row() const { return sqlite3_last_insert_rowid(handle_); }

Statement::Statement(Statement&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
}

Statement::~Statement() { sqlite3_finalize(handle_); }

Result<bool> Statement::step() {
    const int code = sqlite3_step(handle_);
    if (code == SQLITE_ROW) return true;
    base::Error error{kind_of(code), std::string("directory database: ") + sqlite3_errmsg(sqlite3_db_handle(handle_))};
    rewind();
    if (code == SQLITE_DONE) return false;
    return std::unexpected(std::move(error));
}

Result<void> Statement::finish() {
    while (true) {
        auto row = step();
        if (!row) return base::pass_on(row);
        if (!*row) return {};
    }
}

void Statement::rewind() { sqlite3_reset(handle_); }

std::string Statement::text(int column) const {
    const auto* octets = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
    return octets == nullptr ? std::string() : std::string(octets, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

std::int64_t Statement::number(int column) const { return sqlite3_column_int64(handle_, column); }

bool Statement::is_null(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }

// SQLITE_STATIC: the caller's octets are read, not copied; see Limits in the header.
void Statement::bind(int index, std::string_view text) {
    const char* octets = text.data() == nullptr ? "" : text.data();  // a null pointer would bind NULL
    sqlite3_bind_text(handle_, index, octets, static_cast<int>(text.size()), SQLITE_STATIC);
}

void Statement::bind(int index, std::int64_t number) { sqlite3_bind_int64(handle_, index, number); }

Result<Transaction> Transaction::begin(Database& database) {
    if (auto begun = database.run("BEGIN IMMEDIATE"); !begun) return base::pass_on(begun);
    return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
    // An error here has no one to hear it: SQLite has rolled back by itself then.
    if (database_ != nullptr) static_cast<void>(database_->run("ROLLBACK"));
}

Result<void> Transaction::commit() {
    auto done = database_->run("COMMIT");
    if (done) database_ = nullptr;
    return done;
}

}  // namespace thurn::storage
