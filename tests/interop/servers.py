"""The servers under test, and the two shells that are pointed at them."""
from lib.cluster import run_cairn


class Server:
    """One running file system: where it listens, and Hadoop's own shell pointed at it to prepare and inspect."""

    def __init__(self, name, cluster, java_shell):
        self.name, self.cluster, self.java_shell = name, cluster, java_shell
        self.fs, self.namenode, self.namenode_http = cluster.uri, cluster.namenode, cluster.namenode_http
        self.java = JavaClient(self).fs

    def generic_options(self):
        return ["-D", f"fs.defaultFS={self.fs}", "-D", f"dfs.namenode.http-address={self.namenode_http}"]

    def log_tails(self):
        return self.cluster.log_tails()


class Client:
    """`hadoop fs`, `hdfs dfsadmin` and `hdfs fsck`, or what takes their place."""

    def __init__(self, server):
        self.server = server

    def _run(self, tool, args, stdin, user):
        raise NotImplementedError

    def _checked(self, tool, args, check=True, stdin=b"", user=""):
        done = self._run(tool, [*self.server.generic_options(), *args], stdin, user)
        if check:
            assert done.returncode == 0, (
                f"{type(self).__name__} {tool} {args}: exit {done.returncode}: {done.stderr.decode()[-2000:]}"
            )
        return done

    def fs(self, *args, check=True, **options):
        """stdout as bytes; with check=False the CompletedProcess."""
        done = self._checked("fs", args, check, **options)
        return done.stdout if check else done

    def dfsadmin(self, *args):
        return self._checked("dfsadmin", args).stdout.decode()

    def fsck(self, *args):
        return self._checked("fsck", args).stdout.decode()

    def log_tails(self):
        return self.server.log_tails()


class JavaClient(Client):
    def _run(self, tool, args, stdin, user):
        return self.server.java_shell.run(tool, *args, stdin=stdin, user=user)


class CairnClient(Client):
    def _run(self, tool, args, stdin, user):
        return run_cairn(tool, *args, stdin=stdin, env={"HADOOP_USER_NAME": user} if user else {})
