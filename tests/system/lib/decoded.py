# SPDX-License-Identifier: Apache-2.0
"""The protobuf exposition, as protoc's own module for Python decodes it by scripts/decode.proto."""
import os
import shutil
import subprocess
import sys

import check
from daemon import SRC, TMP

TYPE = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"


def can():
    return shutil.which("protoc") is not None


def model():
    subprocess.run(["protoc", "-I", SRC + "/scripts", "--python_out=" + TMP, "decode.proto"], check=True)
    sys.path.insert(0, TMP)
    import decode_pb2  # pylint: disable=import-outside-toplevel,import-error
    return decode_pb2


def families(pb, body):
    at = 0
    while at < len(body):
        size = shift = 0
        while True:
            size |= (body[at] & 0x7F) << shift
            shift += 7
            at += 1
            if body[at - 1] < 0x80:
                break
        yield pb.MetricFamily.FromString(body[at:at + size])
        at += size


def buckets(spans, deltas):
    out, index, count, deltas = {}, 0, 0, list(deltas)
    for span in spans:
        index += span.offset
        for _ in range(span.length):
            count += deltas.pop(0)
            check.holds("no bucket is below 0", count >= 0)
            if count:
                out[str(index)] = count
            index += 1
    check.equal("deltas without a bucket", deltas, [])
    return out


def native_of(h):
    """A histogram's native form, whose count must be that of its buckets."""
    found = {"schema": h.schema, "zero_count": h.zero_count, "zero_threshold": h.zero_threshold, "count": h.sample_count,
             "positive": buckets(h.positive_span, h.positive_delta), "negative": buckets(h.negative_span, h.negative_delta)}
    check.equal("the count is that of the buckets", sum(found["positive"].values()) + sum(found["negative"].values()) + h.zero_count,
                h.sample_count)
    return found


def histograms(pb, d):
    """{(metric's name without _seconds, value of the first label or ""): its histogram}, but for the exporter's own."""
    status, _, body = d.request_bytes("GET", "/metrics", {"Accept": TYPE})
    check.equal("status", status, 200)
    return {(f.name.removesuffix("_seconds"), m.label[0].value if m.label else ""): m.histogram for f in families(pb, body) for m in f.metric
            if m.HasField("histogram") and not f.name.startswith("virtrigaud_exporter_")}
