"""The peer: the same request handled in Python, clients made at start as AWS advises, one conditional write."""

import json
import os
import time
import uuid

import boto3

dynamodb = boto3.client("dynamodb")
firehose = boto3.client("firehose")
s3 = boto3.client("s3")
table = os.environ["DAYBOOK_TABLE"]


def handler(event, context):
    body = json.loads(event["body"])
    event_id = str(uuid.uuid4())
    line = {
        "event_id": event_id,
        "event_type": "data.submitted",
        "received_at": time.time(),
        "path": event["path"],
        "request_body": json.dumps(body),
    }
    dynamodb.put_item(
        TableName=table,
        Item={
            "pk": {"S": f"T#default#submission#{event_id}"},
            "sk": {"S": "E#000000000001"},
            "line": {"S": json.dumps(line)},
        },
        ConditionExpression="attribute_not_exists(pk)",
    )
    return {
        "statusCode": 201,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"id": event_id}),
    }
