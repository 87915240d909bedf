#!/usr/bin/mawk -f
# hour<TAB>1 for every row with a usable position
BEGIN {
    FS = OFS = "\t"
    number = "^[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?$"
}
{ sub(/\r$/, "") }
$0 == "" || ($1 == "latitude" && $2 == "longitude") { next }
{ rows++ }
$1 !~ number || $2 !~ number || $1 < -90 || $1 > 90 || $2 < -180 || $2 > 180 || ($1 + 0 == 0 && $2 + 0 == 0) {
    bad++
    next
}
{ print substr($3, 1, 13) ":00:00", 1 }
END {
    if (rows)
        print "reporter:counter:mta-hours,records_in," rows > "/dev/stderr"
    if (bad)
        print "reporter:counter:mta-hours,records_bad{coordinate}," bad > "/dev/stderr"
}
