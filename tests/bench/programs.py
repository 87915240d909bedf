"""Running the programs that a section is made of."""
import os
import subprocess
import sys

from lib.cluster import client_env

HERE = os.path.dirname(os.path.abspath(__file__))


def checked(command, **options):
    """subprocess.run; a failure ends the bench."""
    done = subprocess.run(command, env=client_env() | options.pop("env", {}), **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    return done


def build(work, name, *flags):
    """Compiles tests/bench/NAME.c into the work folder; the path of the program."""
    program = f"{work}/{name}"
    checked(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-o", program, f"{HERE}/{name}.c", *flags, "-pthread"])
    return program


def library(package):
    """What the compiler has to be told for a library, as pkg-config knows it."""
    return checked(["pkg-config", "--cflags", "--libs", package], stdout=subprocess.PIPE, text=True).stdout.split()
