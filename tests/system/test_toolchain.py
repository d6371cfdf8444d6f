"""Configuring with a compiler that would build a broken server ends at once, and says which to install."""

import shutil
import subprocess

import pytest
from thurn import ROOT



def configure(folder, compiler):
    return subprocess.run(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", f"-DCMAKE_CXX_COMPILER={compiler}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60)


def refused(done, because):
    text = " ".join(done.stdout.split())
    return done.returncode != 0 and because in text and "Install clang-19 (apt-get install clang-19 lld-19)" in text


def test_a_compiler_without_expected_is_refused(tmp_path):
    """clang-19 in a wrapper that takes it away."""
    wrapper = tmp_path / "c++"
    wrapper.write_text("""#!/bin/sh
case "$*" in *-c*coroutine_probe*) echo "fatal error: 'expected' file not found" >&2; exit 1 ;; esac
exec clang++-19 "$@"
""")
    wrapper.chmod(0o755)
    done = configure(tmp_path / "build", wrapper)
    assert refused(done, "cannot build thurn"), done.stdout


@pytest.mark.skipif(not shutil.which("g++-12"), reason="g++ 12 is not there")
def test_gcc_12_is_refused_for_its_coroutines(tmp_path):
    done = configure(tmp_path / "build", "g++-12")
    assert refused(done, "miscompiles coroutines"), done.stdout
