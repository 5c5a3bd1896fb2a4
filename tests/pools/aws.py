"""AWS for the tests of provider ec2: moto's server, and before it what moto leaves out and what can go wrong."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # two seconds of reading for nothing
REGION = "eu-central-1"
TEMPLATE = "batchyard-node"
Start = Callable[..., Any]
_AMZ_JSON = "application/x-amz-json-1.1"
_ERROR = (
    "<Response><Errors><Error><Code>{code}</Code><Message>told by the tests</Message></Error></Errors>"
    "<RequestID>r</RequestID></Response>"
)
_REFUSED_FLEET = (
    '<CreateFleetResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><fleetId>fleet-0</fleetId><errorSet>{}'
    "</errorSet></CreateFleetResponse>"
)
_HISTORY = (
    '<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><spotPriceHistorySet>{}'
    "</spotPriceHistorySet><nextToken/></DescribeSpotPriceHistoryResponse>"
)
_SPOT = (
    "<item><instanceType>{}</instanceType><productDescription>Linux/UNIX</productDescription>"
    "<spotPrice>{}</spotPrice><timestamp>{}</timestamp><availabilityZone>{}</availabilityZone></item>"
)
_WHY = "<item><errorCode>{code}</errorCode><errorMessage>no {code} today.</errorMessage></item>"


class Front:
    """A WSGI application before moto's: EC2 answers a client token once and the same again, which moto does not."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._tokens: dict[str, bytes] = {}
        self._turn = threading.Lock()
        self.errors: list[tuple[str, str]] = []  # action, code: how the next requests fail
        self.out_of_stock: list[str] = []  # codes that every fleet gets instead of an instance
        self.spot: list[tuple[str, str, str, str]] = []  # type, zone, price, time; moto has one price for all
        self.prices: dict[str, str] = {}  # on-demand price of a type, for the price list, which moto has not
        self.asked: list[dict[str, str]] = []  # the filters of all requests of the price list
        self.seen: list[dict[str, str]] = []  # all requests of EC2

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        body = Request(environ).get_data()
        environ["wsgi.input"] = BytesIO(body)  # moto reads it again
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        action = form.get("Action") or environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        self.seen.append({**form, "Action": action})
        if action == "GetProducts":
            return self._products(json.loads(body))(environ, start)
        if self.errors and self.errors[0][0] == action:
            return Response(_ERROR.format(code=self.errors.pop(0)[1]), status=503)(environ, start)
        if action == "DescribeSpotPriceHistory" and self.spot:
            return self._history(form)(environ, start)
        if action != "CreateFleet":
            return self._moto(environ, start)  # type: ignore[no-any-return]
        if self.out_of_stock:
            whys = "".join(_WHY.format(code=code) for code in self.out_of_stock)
            return Response(_REFUSED_FLEET.format(whys), content_type="text/xml")(environ, start)
        with self._turn:
            token = form["ClientToken"]
            if token not in self._tokens:
                self._tokens[token] = Response.from_app(self._moto, environ, buffered=True).get_data()
            return Response(self._tokens[token], content_type="text/xml")(environ, start)

    def _history(self, form: Mapping[str, str]) -> Response:
        """Answer as EC2 does: the latest price of each type and zone, and older ones of the time asked for."""
        types = {value for key, value in form.items() if key.startswith("InstanceType.")}
        found = [(name, price, at, zone) for name, zone, price, at in self.spot if name in types]
        return Response(_HISTORY.format("".join(_SPOT.format(*each) for each in found)), content_type="text/xml")

    def _products(self, asked: Mapping[str, Any]) -> Response:
        """Answer as the price list does: products are texts of JSON."""
        if self.errors and self.errors[0][0] == "GetProducts":
            refusal = {"__type": self.errors.pop(0)[1], "message": "told by the tests"}
            return Response(json.dumps(refusal), status=400, content_type=_AMZ_JSON)
        self.asked.append({each["Field"]: each["Value"] for each in asked["Filters"]})
        price = self.prices.get(self.asked[-1]["instanceType"])
        products = [product(price)] if price else []
        answer = {"FormatVersion": "aws_v1", "PriceList": [json.dumps(each) for each in products]}
        return Response(json.dumps(answer), content_type=_AMZ_JSON)


def product(price: str, unit: str = "Hrs", currency: str = "USD") -> dict[str, Any]:
    """Return a product of AWS' price list, with the parts that matter."""
    dimension = {"unit": unit, "pricePerUnit": {currency: price}, "appliesTo": []}
    term = {"priceDimensions": {"SKU.TERM.RATE": dimension}, "sku": "SKU"}
    return {"product": {"sku": "SKU"}, "serviceCode": "AmazonEC2", "terms": {"OnDemand": {"SKU.TERM": term}}}


class _Quiet(WSGIRequestHandler):
    """Says nothing of requests that went well."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def serve() -> Iterator[tuple[Front, str]]:
    """Serve an empty AWS on a free port of the loopback; yield the front and the URL."""
    front = Front()
    server = make_server("127.0.0.1", 0, front, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield front, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def furnish() -> list[str]:
    """Make a launch template; return the subnets that are there."""
    ec2 = boto3.client("ec2", region_name=REGION)
    template = {"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro"}
    ec2.create_launch_template(LaunchTemplateName=TEMPLATE, LaunchTemplateData=template)
    return [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]


__all__ = ["REGION", "TEMPLATE", "Front", "furnish", "product", "serve"]
