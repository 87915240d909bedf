"""What programs do with pyarrow's HadoopFileSystem; run by test_pyarrow.py: pyarrow_battery.py HOST PORT FOLDER."""
import random
import sys

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileType

HOST, PORT, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]
FS = pafs.HadoopFileSystem(HOST, PORT, user="root", replication=1, default_block_size=1 << 20)
ROWS = 200_000
TABLE = pa.table({"k": range(ROWS), "g": [i % 5 for i in range(ROWS)], "s": [f"row {i * i}" for i in range(ROWS)]})


def fails(error, call, *args):
    try:
        call(*args)
    except error:
        return
    raise AssertionError(f"{call} did not raise {error}")


def files_and_directories():
    base = f"{FOLDER}/files"
    FS.create_dir(f"{base}/a/b", recursive=True)
    with FS.open_output_stream(f"{base}/f") as out:
        out.write(b"abc")
        out.flush()
        out.write(b"def")
    with FS.open_append_stream(f"{base}/f") as out:
        out.write(b"ghi")
    with FS.open_input_file(f"{base}/f") as file:
        assert file.size() == 9 and file.read_at(3, 2) == b"cde"
        file.seek(7)
        assert (file.read(), file.tell(), file.read()) == (b"hi", 9, b"")
    FS.move(f"{base}/f", f"{base}/a/g")
    FS.copy_file(f"{base}/a/g", f"{base}/h")
    one, none, folder = FS.get_file_info([f"{base}/h", f"{base}/f", f"{base}/a"])
    assert (one.type, one.size, one.base_name) == (FileType.File, 9, "h") and one.mtime.year > 2000
    assert (none.type, folder.type) == (FileType.NotFound, FileType.Directory)
    listed = {info.path.removeprefix(base) for info in FS.get_file_info(FileSelector(base, recursive=True))}
    assert listed == {"/a", "/a/b", "/a/g", "/h"}, listed
    assert FS.get_file_info(FileSelector(f"{base}/none", allow_not_found=True)) == []
    FS.delete_dir_contents(f"{base}/a")
    assert FS.get_file_info(FileSelector(f"{base}/a")) == []
    FS.delete_dir(f"{base}/a")
    FS.delete_file(f"{base}/h")
    fails(FileNotFoundError, FS.open_input_file, f"{base}/none")
    fails(FileNotFoundError, FS.delete_file, f"{base}/none")
    fails(FileNotFoundError, FS.get_file_info, FileSelector(f"{base}/none"))
    fails(OSError, FS.open_input_file, base)


def seeks():
    data = random.Random(5).randbytes(5_000_000)
    with FS.open_output_stream(f"{FOLDER}/big") as out:
        out.write(data)
    choose = random.Random(6)
    with FS.open_input_file(f"{FOLDER}/big") as file:
        for _ in range(2000):
            at, length = choose.randrange(len(data)), choose.choice([1, 10, 513, 4096, 100_000])
            if choose.random() < 0.5:
                assert file.read_at(length, at) == data[at : at + length]
            else:
                file.seek(at)
                assert file.read(length) == data[at : at + length]
    with FS.open_input_stream(f"{FOLDER}/big", buffer_size=65536) as stream:
        assert stream.read() == data


def parquet():
    path = f"{FOLDER}/one.parquet"
    pq.write_table(TABLE, path, filesystem=FS, row_group_size=10_000)
    assert pq.read_table(path, filesystem=FS).equals(TABLE)
    with FS.open_input_file(path) as file:
        reader = pq.ParquetFile(file)
        assert reader.num_row_groups == 20
        assert reader.read_row_group(17, columns=["k"]).column("k")[0].as_py() == 170_000
    filtered = pq.read_table(path, filesystem=FS, columns=["s"], filters=[("k", "=", 123_456)])
    assert filtered.column("s").to_pylist() == [f"row {123456 * 123456}"]


def datasets():
    hive = ds.partitioning(pa.schema([("g", pa.int64())]), flavor="hive")
    for form, name in (("parquet", "p"), ("csv", "c"), ("feather", "f")):
        base = f"{FOLDER}/{name}"
        ds.write_dataset(TABLE, base, filesystem=FS, format=form, partitioning=hive)
        dataset = ds.dataset(base, filesystem=FS, format=form, partitioning=hive)
        assert len(dataset.files) == 5
        assert dataset.count_rows() == ROWS
        assert dataset.to_table(filter=ds.field("g") == 3).num_rows == ROWS // 5
    # Once more over what is there, and added to it.
    ds.write_dataset(TABLE, f"{FOLDER}/p", filesystem=FS, format="parquet", partitioning=hive, existing_data_behavior="delete_matching")
    ds.write_dataset(
        TABLE, f"{FOLDER}/p", filesystem=FS, format="parquet", partitioning=hive, basename_template="more-{i}.parquet", existing_data_behavior="overwrite_or_ignore"
    )
    assert ds.dataset(f"{FOLDER}/p", filesystem=FS, format="parquet", partitioning=hive).count_rows() == 2 * ROWS


def by_uri():
    fs, path = pafs.FileSystem.from_uri(f"hdfs://root@{HOST}:{PORT}{FOLDER}/uri.csv")
    with fs.open_output_stream(path) as out:
        csv.write_csv(TABLE.slice(0, 100), out)
    with fs.open_input_stream(path) as stream:
        assert csv.read_csv(stream).num_rows == 100


for part in (files_and_directories, seeks, parquet, datasets, by_uri):
    part()
    print(part.__name__, "ok", flush=True)
