#!/usr/bin/mawk -f
# word<TAB>1 for every word
{
    for (i = 1; i <= NF; i++)
        print $i "\t1"
}
