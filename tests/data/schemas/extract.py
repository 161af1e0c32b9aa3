#!/usr/bin/env python3
"""Prints what Kafka's message schemas say about fields, one line each; see README.md.

    extract.py kafka-clients-4.2.1.jar kafka-group-coordinator-4.2.1.jar kafka-transaction-coordinator-4.2.1.jar \
        >kafka-4.2.1.txt
"""
import json
import re
import sys
import zipfile

APIS = """Produce Fetch ListOffsets Metadata OffsetCommit OffsetFetch FindCoordinator JoinGroup Heartbeat LeaveGroup
SyncGroup ApiVersions CreateTopics DeleteTopics InitProducerId OffsetForLeaderEpoch DescribeConfigs
DescribeCluster ListGroups DescribeGroups DescribeLogDirs CreatePartitions AlterConfigs IncrementalAlterConfigs
DeleteGroups OffsetDelete ConsumerGroupHeartbeat ConsumerGroupDescribe AddPartitionsToTxn AddOffsetsToTxn EndTxn
WriteTxnMarkers TxnOffsetCommit DeleteRecords ElectLeaders DescribeProducers DescribeTransactions ListTransactions
ListConfigResources DescribeTopicPartitions DescribeAcls CreateAcls DeleteAcls AlterPartitionReassignments
ListPartitionReassignments DescribeClientQuotas AlterClientQuotas DescribeUserScramCredentials DescribeQuorum""".split()
FORMATS = """ConsumerProtocolSubscription ConsumerProtocolAssignment OffsetCommitValue GroupMetadataValue
ConsumerGroupMetadataKey ConsumerGroupMetadataValue ConsumerGroupPartitionMetadataKey
ConsumerGroupPartitionMetadataValue ConsumerGroupMemberMetadataKey ConsumerGroupMemberMetadataValue
ConsumerGroupTargetAssignmentMetadataKey ConsumerGroupTargetAssignmentMetadataValue
ConsumerGroupTargetAssignmentMemberKey ConsumerGroupTargetAssignmentMemberValue
ConsumerGroupCurrentMemberAssignmentKey ConsumerGroupCurrentMemberAssignmentValue
ConsumerGroupRegularExpressionKey ConsumerGroupRegularExpressionValue TransactionLogKey TransactionLogValue""".split()
NUMBERS = {"int8", "int16", "uint16", "int32", "uint32", "int64", "float64"}
LAST = 32767


def limits(text):
    """'3+' is (3, LAST), '1-4' is (1, 4), '2' is (2, 2), 'none' is nothing."""
    if text in (None, "", "none"):
        return (1, 0)
    if text.endswith("+"):
        return (int(text[:-1]), LAST)
    start, _, end = text.partition("-")
    return (int(start), int(end or start))


def both(left, right):
    return (max(left[0], right[0]), min(left[1], right[1]))


def shown(versions):
    return "-" if versions[0] > versions[1] else f"{versions[0]}-{versions[1]}"


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def default(field, kind):
    # Kafka's generator has null for records, whatever the schema says.
    value = "null" if kind == "records" else field.get("default")
    if value is None:
        return "0" if kind in NUMBERS else "false" if kind == "bool" else "-"
    if kind in NUMBERS:
        return str(int(str(value), 0))
    return str(value).lower() or "-"


def lines(path, fields, versions, common):
    for field in fields:
        present = both(limits(field.get("versions") or field["taggedVersions"]), versions)
        if present[0] > present[1]:
            continue
        kind = field["type"]
        element = kind.removeprefix("[]")
        inner = field.get("fields") or common.get(element)
        name = f"{path}.{snake(field['name'])}"
        label = kind.replace(element, "struct") if inner else kind
        null = both(limits(field.get("nullableVersions")), present)
        tagged = both(limits(field.get("taggedVersions")), present)
        assert tagged[0] > tagged[1] or tagged == present, name
        tag = field["tag"] if tagged == present else "-"
        yield f"{name} {label} {shown(present)} {shown(null)} {tag} {default(field, kind)}"
        if inner:
            yield from lines(name, inner, present, common)


def schemas(jars):
    for jar in jars:
        with zipfile.ZipFile(jar) as archive:
            for entry in archive.namelist():
                if entry.startswith("common/message/") and entry.endswith(".json"):
                    text = archive.read(entry).decode()
                    schema = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
                    yield schema["name"], schema


def main():
    known = dict(schemas(sys.argv[1:]))
    for name in [api + half for api in APIS for half in ("Request", "Response")] + FORMATS:
        schema = known[name]
        versions = limits(schema["validVersions"])
        common = {struct["name"]: struct["fields"] for struct in schema.get("commonStructs", [])}
        flexible = limits(schema["flexibleVersions"])
        print(name, shown(versions), flexible[0] if flexible[0] <= flexible[1] else "-")
        print("\n".join(lines(name, schema["fields"], versions, common)))


main()
