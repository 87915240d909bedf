"""Class paths of stock Apache Hadoop: jars that Maven brings from its registry, and our own small programs beside them.

The jars stay in Maven's own local repository, what we derive from them in $CAIRN_CACHE (default
~/.cache/cairn-interop): nothing of Hadoop enters the source tree."""
import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile

VERSION = "3.4.1"
ANYTHING = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Unavailable(Exception):
    """Apache Hadoop cannot be run here; the text says why and what to do."""


def cache_dir():
    root = os.environ.get("CAIRN_CACHE") or os.path.expanduser("~/.cache/cairn-interop")
    path = os.path.join(root, f"hadoop-{VERSION}")
    os.makedirs(path, exist_ok=True)
    return path


def hadoop(artifact, version=VERSION, tests=False, alone=False):
    """A jar of Hadoop's; tests: the one with its tests (or of another such classifier), which never brings others along."""
    classifier = "tests" if tests is True else tests
    extra = (f"<classifier>{classifier}</classifier>" if tests else "") + (ANYTHING if tests or alone else "")
    return library("org.apache.hadoop", artifact, version, extra)


def library(group, artifact, version, extra=""):
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version>{extra}</dependency>"
    )


def java_files(*places):
    """The .java files that places name, or hold anywhere below them; each relative to tests/."""
    found = []
    for place in (os.path.join(TESTS, place) for place in places):
        if place.endswith(".java"):
            found.append(place)
        for folder, _, names in os.walk(place):
            found += [os.path.join(folder, name) for name in names if name.endswith(".java")]
    return sorted(found)


def _run_tool(command, what, cwd=None):
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{what}: {error}") from error
    if done.returncode:
        raise Unavailable(f"{what}: {(done.stdout + done.stderr).strip()[-1500:]}")


def _put(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def _digest(*texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def resolve(dependencies):
    """The jars of the dependencies and of what they need, as a class path; asked of Maven once, then remembered."""
    for tool in "java", "mvn":
        if not shutil.which(tool):
            raise Unavailable(f"'{tool}' is not installed; run tools/deps interop")
    # Hadoop's own choice of versions for what it depends on; Maven's would mix Jackson's.
    bom = hadoop("hadoop-project").replace("</dependency>", "<type>pom</type><scope>import</scope></dependency>")
    pom = (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>cairn.tests</groupId><artifactId>hadoop</artifactId><version>1</version>"
        f"<dependencyManagement><dependencies>{bom}</dependencies></dependencyManagement>"
        f"<dependencies>{''.join(dependencies)}</dependencies></project>"
    )
    remembered = os.path.join(cache_dir(), f"jars-{_digest(pom)}")
    with contextlib.suppress(OSError):
        jars = open(remembered).read()
        if all(map(os.path.exists, jars.split(":"))):
            return jars
    with tempfile.TemporaryDirectory(prefix="cairn-hadoop-") as work:
        with open(os.path.join(work, "pom.xml"), "w") as file:
            file.write(pom)
        listing = os.path.join(work, "jars")
        command = ["mvn", "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={listing}"]
        _run_tool(command, f"Hadoop {VERSION} from Maven's registry", cwd=work)
        jars = open(listing).read().strip()
    _put(remembered, jars)
    return jars


def compiled(sources, jars):
    """The folder of our classes made from the sources; each set of sources has its own, so that runs of different
    versions do not get in each other's way."""
    key = _digest(jars, *(open(source).read() for source in sources))
    classes = os.path.join(cache_dir(), f"classes-{key}")
    if os.path.isdir(classes):
        return classes
    work = tempfile.mkdtemp(dir=cache_dir(), prefix="compile-")
    compiler = ["java", "-m", "jdk.compiler/com.sun.tools.javac.Main", "-nowarn", "-proc:none", "-d", work]
    try:
        _run_tool([*compiler, "-cp", jars, *sources], "compile our Java programs")
        for name in "hdfs", "datanode":  # the servers want the folder of their web pages; the jars do not have it
            os.makedirs(os.path.join(work, "webapps", name, "WEB-INF"))
            _put(os.path.join(work, "webapps", name, "WEB-INF", "web.xml"), "<web-app/>\n")
        with contextlib.suppress(OSError):  # another run was as quick
            os.rename(work, classes)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return classes


def class_path(dependencies, sources, before=""):
    """Our classes, then the jars. before: what hides classes of the jars."""
    jars = resolve(dependencies)
    return f"{before and before + ':'}{compiled(sources, jars)}:{jars}"
