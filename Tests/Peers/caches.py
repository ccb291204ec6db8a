"""Hit rates of a reference simulator's S3-FIFO and LRU: for every line "FILE CAPACITY" of the input, "HITS_S3FIFO HITS_LRU REQUESTS".

A trace is a file of numbers, one on each line.
"""
import sys

import libcachesim as lcs


def hits(cache, keys):
    request = lcs.Request()
    request.obj_size = 1
    count = 0
    for key in keys:
        request.obj_id = key
        count += cache.get(request)
    return count


for line in sys.stdin:
    path, capacity = line.split()
    with open(path) as file:
        keys = [int(number) for number in file]
    print(hits(lcs.S3FIFO(cache_size=int(capacity)), keys), hits(lcs.LRU(cache_size=int(capacity)), keys), len(keys))
