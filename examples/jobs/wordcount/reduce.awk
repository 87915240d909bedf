#!/usr/bin/mawk -f
# Sums the second column per key; lines come sorted by key. Combiner and reducer.
BEGIN { FS = OFS = "\t" }
$1 != key {
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
