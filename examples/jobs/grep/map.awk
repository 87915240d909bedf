#!/usr/bin/mawk -f
# match<TAB>1 for everything in a line that matches $pattern
BEGIN { pattern = ENVIRON["pattern"] }
{
    for (rest = $0; match(rest, pattern); rest = substr(rest, RSTART + (RLENGTH ? RLENGTH : 1))) {
        found = substr(rest, RSTART, RLENGTH)
        gsub(/\t/, " ", found)
        if (found != "")
            print found "\t1"
    }
}
