#!/usr/bin/mawk -f
# Sums up what vehicles add to their days: date; reports, 1, sum and number of speeds, distance, stops.
BEGIN {
    FS = OFS = "\t"
    OFMT = CONVFMT = "%.15g"
}
$1 != date {
    day_end()
    date = $1
}
{
    reports += $2
    vehicles += $3
    speed += $4
    speeds += $5
    distance += $6
    n = split($7, names, ",")
    for (i = 1; i <= n; i++)
        if (names[i] != "" && !(names[i] in seen)) {
            seen[names[i]] = 1
            stops++
        }
}
END { day_end() }
function day_end(name) {
    if (date != "")
        print date, reports, vehicles, stops + 0, speeds ? speed / speeds : "", distance
    reports = vehicles = stops = speed = speeds = distance = 0
    for (name in seen)
        delete seen[name]
}
