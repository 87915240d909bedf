#!/usr/bin/mawk -f
# Rows with a usable position, with the hour and the date of the report appended: 13 columns. Short rows are filled up
# with empty columns, further columns than 11 are dropped.
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
{
    if (NF > 11)
        long++
    line = $1
    for (i = 2; i <= 11; i++)
        line = line "\t" $i
    time = $3 ~ /^[0-9-]+ [0-9][0-9]:/
    print line, time ? substr($3, 1, 13) ":00:00" : "", time ? substr($3, 1, 10) : ""
    good++
}
function count(name, value) {
    if (value)
        print "reporter:counter:mta-filter," name "," value > "/dev/stderr"
}
END {
    count("records_in", rows)
    count("records_out", good)
    count("records_bad{coordinate}", bad)
    count("records_long", long)
}
