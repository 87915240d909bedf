#!/usr/bin/python3
"""python3 wordcount.py -input /books -output /counts; the module is scheduler/python/cairn_job.py."""
from cairn_job import Job


class WordCount(Job):
    def map(self, line):
        for word in line.split():
            yield word, 1

    def reduce(self, word, counts):
        yield word, sum(counts)

    combine = reduce


if __name__ == "__main__":
    WordCount.main()
