#!/usr/bin/mawk -f
# Sums the second column per key; lines come sorted by key. Combiner and reducer.
BEGIN { FS = OFS = "\t" }
$1 "" != key "" { # as text: "0" and "0.000000" are two keys
    if (NR > 1)
        print key, sum
    key = $1
    sum = 0
}
{ sum += $2 }
END {
    if (NR)
        print key, sum
}
