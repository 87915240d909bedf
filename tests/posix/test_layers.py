"""File systems that lie on a folder of each file system: overlayfs, and an ext4 in a file."""
import contextlib
import os
import subprocess

import pytest

from lib.needs import missing
from lib.waiting import wait_for


def run(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}"
    return done.stdout


@contextlib.contextmanager
def mounted(at, *how):
    run("mount", *how, at)
    try:
        yield at
    finally:
        run("umount", at)


def put(path, text):
    with open(path, "w") as file:
        file.write(text)


def text_of(path):
    with open(path) as file:
        return file.read()


@pytest.fixture
def layers(place):
    with open("/proc/filesystems") as kinds:
        if "\toverlay\n" not in kinds.read():
            missing("this kernel has no overlayfs")
    for name in "lower/d/deep", "upper", "work", "merged":
        os.makedirs(f"{place}/{name}")
    put(f"{place}/lower/f", "lower")
    put(f"{place}/lower/d/g", "g")
    put(f"{place}/lower/d/deep/h", "h")
    os.symlink("nowhere", f"{place}/lower/link")

    def merge():
        options = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work"
        return mounted(f"{place}/merged", "-t", "overlay", "overlay", "-o", options)

    return merge


def test_overlayfs(place, layers):
    """As containers have it: every change goes into the upper layer, and is there when it is mounted again."""
    with layers() as merged:
        with open(f"{merged}/f", "a") as file:
            file.write(" and upper")
        os.rename(f"{merged}/d/g", f"{merged}/moved")
        os.rename(f"{merged}/link", f"{merged}/renamed")
        os.chown(f"{merged}/renamed", 70001, 70002, follow_symlinks=False)
        os.unlink(f"{merged}/d/deep/h")
        os.rmdir(f"{merged}/d/deep")
        os.mkdir(f"{merged}/d/deep")
        put(f"{merged}/d/deep/new", "new")
    assert text_of(f"{place}/lower/f") == "lower"
    with layers() as merged:
        assert sorted(os.listdir(merged)) == ["d", "f", "moved", "renamed"]
        assert text_of(f"{merged}/f") == "lower and upper" and text_of(f"{merged}/moved") == "g"
        assert os.readlink(f"{merged}/renamed") == "nowhere" and os.lstat(f"{merged}/renamed").st_uid == 70001
        assert os.listdir(f"{merged}/d") == ["deep"] and os.listdir(f"{merged}/d/deep") == ["new"]


def test_overlayfs_makes_files_without_a_name(place, layers):
    """Which it does for itself, too, when it copies one up; as the kernel makes them, not as open(2)."""
    try:
        os.close(os.open(place, os.O_TMPFILE | os.O_RDWR))
    except OSError as error:
        pytest.skip(f"this kernel has none for FUSE: {error}")
    with layers() as merged:
        with os.fdopen(os.open(f"{merged}/d", os.O_TMPFILE | os.O_RDWR, 0o600), "w+b") as file:
            file.write(b"unnamed")
            file.seek(0)
            assert file.read() == b"unnamed" and os.fstat(file.fileno()).st_nlink == 0
        assert sorted(os.listdir(f"{merged}/d")) == ["deep", "g"]


def test_disk_image(place):
    """Written by the kernel through a loop device, with holes punched where files went."""
    image, folder = f"{place}/image", f"{place}/folder"
    os.mkdir(folder)
    with open(image, "w") as file:
        file.truncate(64 << 20)
    run("mkfs.ext4", "-q", "-F", image)
    wanted = {f"{folder}/f{i}": os.urandom(i * 20_000) for i in range(30)}
    with mounted(folder, "-o", "loop,discard", image):
        put(f"{folder}/large", "x" * (20 << 20))
        for path, data in wanted.items():
            with open(path, "wb") as file:
                file.write(data)
        run("sync", "-f", folder)
        os.unlink(f"{folder}/large")
        run("sync", "-f", folder)
        run("fstrim", folder)
    wait_for(lambda: os.stat(image).st_blocks < (20 << 20) // 512, 20, "the room of what was removed")
    run("fsck.ext4", "-fn", image)
    with mounted(folder, "-o", "loop,ro", image):
        for path, data in wanted.items():
            with open(path, "rb") as file:
                assert file.read() == data, path
