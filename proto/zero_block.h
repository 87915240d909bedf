/* The block of zeros, by which those who know HDFS only see a hole in a file: a located block like any other, of the
 * hole's length, on some datanodes that are alive. Every datanode of ours serves zeros under this id, as many as are
 * asked for, with their checksums, from no storage. It is no replica: nobody writes, copies, reports or deletes it, and
 * a file's list may have it many times, each with a length of its own. (Apache's datanodes do not know it; a reader who
 * is sent to one in a mixed cluster goes on at the next.)
 *
 * The number is HDFS's last reserved one: the ids that namenodes give out, theirs and ours, begin behind it. The stamp
 * is the last reserved stamp likewise. */
#ifndef CAIRN_PROTO_ZERO_BLOCK_H
#define CAIRN_PROTO_ZERO_BLOCK_H

#define ZERO_BLOCK_ID    (1ull << 30)
#define ZERO_BLOCK_STAMP 1000ull

#endif
