# For the scripts here: where things are. CAIRN is the command (`cairn` on PATH), PROGRAMS the folder of programs in C.
jobs=$(cd "$(dirname "$0")/.." && pwd)
cairn=${CAIRN:-cairn}
programs=${PROGRAMS:-$jobs/../../build/release/examples/programs}

usage() {
    sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}

# Removes a path of the cluster when the script ends, however it does.
remove_at_exit() {
    passing=$1
    trap '"$cairn" fs -rm -r -f -skipTrash "$passing" >/dev/null' EXIT
}

# A database's URL with more parameters.
with_parameters() {
    case $1 in
    *\?*) echo "$1&$2" ;;
    *) echo "$1?$2" ;;
    esac
}
