#!/usr/bin/mawk -f
# As a mapper, from match<TAB>count to count<TAB>match; as a reducer, without the empty value behind the key
BEGIN { FS = OFS = "\t" }
ENVIRON["mapreduce_task_ismap"] == "true" { print $2, $1; next }
{ print $1, $2 }
