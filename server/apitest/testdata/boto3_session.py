import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import boto3
import botocore.exceptions
from botocore import xform_name
from botocore.config import Config
import session

print("version", boto3.__version__)
services = {}
available = boto3.session.Session().get_available_services()
for name in ("cloudtrail", "cloudtrail-data"):
    if name in available:
        services[name] = boto3.client(name, endpoint_url=sys.argv[1], config=Config(retries={"max_attempts": 1}))


def known(service, op):
    return service in services and hasattr(services[service], xform_name(op))


def do(service, op, given):
    try:
        return getattr(services[service], xform_name(op))(**given), ""
    except botocore.exceptions.ClientError as e:
        return e.response["Error"]["Message"], e.response["Error"]["Code"]


session.run(sys.argv[2], known, do)
