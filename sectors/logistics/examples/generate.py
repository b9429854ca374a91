#!/usr/bin/env python3
"""Writes the example events of the logistics pack and the truth about them.

    python3 sectors/logistics/examples/generate.py [--check]

Standard library only; the same bytes on every run. `--check` writes nothing and fails when the files beside this
program differ from what it would write.

events-normal.ndjson   one hour that agrees with the pack
events-drift.ndjson    eighty minutes a week later, with the disagreements listed in DRIFT and RATES below
events-broken.ndjson   twelve lines, ten of which no reader should take
truth.json             what a drift detector should say about each file

In truth.json n is the number of events that show a disagreement and of the number of that event type. For rates, n is
the most events of the type in any 60 consecutive seconds; of is the number of that type in the file, or, for an error
spike, of events of every type in the same 60 seconds.

The truth never comes from KNHK. Each disagreement is counted twice: when it is put in, and by a predicate over the
lines as written; the program stops if the two counts differ.
"""

import hashlib
import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
PREFIX = "com.example.logistics."
MINUTE_MS = 60_000

# (UN/LOCODE, country, city, postal code, latitude, longitude)
HUBS = [
    ("DEHAM", "DE", "Hamburg", "20457", 53.541, 9.984),
    ("PLPOZ", "PL", "Poznań", "60-001", 52.408, 16.934),
    ("DKAAR", "DK", "Aarhus", "8000", 56.157, 10.211),
    ("CZPRG", "CZ", "Praha", "110 00", 50.088, 14.421),
    ("NLRTM", "NL", "Rotterdam", "3011", 51.922, 4.479),
    ("FRLIL", "FR", "Lille", "59000", 50.629, 3.057),
]
STREETS = ["Speicherstraße", "Hafenweg", "ulica Składowa", "Lagervej", "Nádražní", "Kade", "rue du Port"]
NAMES = ["Nordwind Handel", "Grünberg Medizintechnik", "Ørsted & Datter", "Bieżuń Meble", "Atelier Lenoir",
         "Vltava Optik", "Kaas van Dijk", "Möwe Outdoor", "Tinta Drukarnia", "Huset Lys"]
PEOPLE = ["A. Kowalska", "J. Brandt", "M. Novák", "L. Petit", "S. Jensen", "P. de Boer"]
# (UN number, hazard class, packing group, proper shipping name) from the dangerous goods list
SUBSTANCES = [
    ("UN1263", "3", "II", "PAINT"),
    ("UN1950", "2.1", None, "AEROSOLS"),
    ("UN3480", "9", None, "LITHIUM ION BATTERIES"),
    ("UN1830", "8", "II", "SULPHURIC ACID"),
    ("UN1845", "9", None, "CARBON DIOXIDE, SOLID"),
]
COMMODITIES = ["61091000", "94036090", "90189084", "84713000", "64039996", "22042138"]


class Source:
    """Draws for one event type. Only `Random.random` is used: its sequence is the same in every Python version."""

    def __init__(self, seed: str):
        self._random = random.Random(seed)

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def whole(self, low: int, high: int) -> int:
        return low + int(self._random.random() * (high - low + 1))

    def number(self, low: float, high: float, digits: int) -> float:
        return round(low + self._random.random() * (high - low), digits)

    def pick(self, values):
        return values[self.whole(0, len(values) - 1)]

    def digits(self, count: int) -> str:
        return "".join(str(self.whole(0, 9)) for _ in range(count))


def unix_ms(day: int) -> int:
    """Six in the morning of a day in March 2026, UTC."""
    return int(datetime(2026, 3, day, 6, tzinfo=timezone.utc).timestamp() * 1000)


def timestamp(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def gs1_check_digit(digits: str) -> str:
    """Modulo 10 with weights 3 and 1 from the right (GS1 General Specifications, 7.9)."""
    total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits)))
    return str(-total % 10)


# --- What the pack declares, one builder an event type -----------------------------------------------------------


def shipment_id(s: Source) -> str:
    return "SH" + s.digits(10)


def position(s: Source) -> dict:
    hub = s.pick(HUBS)
    return {"lat": round(hub[4] + s.number(-0.4, 0.4, 4), 4), "lon": round(hub[5] + s.number(-0.4, 0.4, 4), 4)}


def party(s: Source) -> dict:
    hub = s.pick(HUBS)
    street = f"{s.pick(STREETS)} {s.whole(1, 180)}"
    value = {
        "name": s.pick(NAMES),
        "address": {"street": street, "postalCode": hub[3], "city": hub[2], "country": hub[1]},
    }
    if s.chance(0.2):
        value["eori"] = hub[1] + s.digits(12)
    return value


def money(s: Source, low: float, high: float) -> dict:
    return {"amount": s.number(low, high, 2), "currency": s.pick(["EUR", "EUR", "EUR", "PLN", "DKK", "CZK"])}


def package(s: Source) -> dict:
    body = "3" + "4012345" + s.digits(9)
    value = {
        "sscc": body + gs1_check_digit(body),
        "kind": s.pick(["parcel", "parcel", "parcel", "pallet", "crate"]),
        "weightKg": s.number(0.2, 480, 1),
    }
    if s.chance(0.2):
        value["fragile"] = True
    return value


def shipment(s: Source, ms: int, statuses: list[str]) -> dict:
    booked = ms - s.whole(0, 30) * MINUTE_MS
    value = {
        "shipmentId": shipment_id(s),
        "status": s.pick(statuses),
        "serviceLevel": s.pick(["economy", "standard", "standard", "express", "same_day"]),
        "bookedAt": timestamp(booked),
        "promisedBy": timestamp(booked + s.whole(8, 96) * 60 * MINUTE_MS),
        "shipper": party(s),
        "consignee": party(s),
        "packages": [package(s) for _ in range(s.pick([1, 1, 2]))],
    }
    if s.chance(0.4):
        value["incoterm"] = s.pick(["EXW", "FCA", "CIP", "DAP", "DDP"])
    if s.chance(0.7):
        value["reference"] = "PO-" + s.digits(7)
    if s.chance(0.3):
        value["declaredValue"] = money(s, 20, 4000)
    return value


def shipment_created(s: Source, ms: int) -> dict:
    return shipment(s, ms, ["booked"])


def shipment_updated(s: Source, ms: int) -> dict:
    return shipment(s, ms, ["in_transit", "in_transit", "at_hub", "out_for_delivery", "returned", "cancelled"])


def picked_up(s: Source, ms: int) -> dict:
    value = {
        "shipmentId": shipment_id(s),
        "pickedUpAt": timestamp(ms),
        "driverId": "D" + s.digits(5),
        "depot": s.pick(HUBS)[0] + "-" + s.digits(2),
        "packageCount": s.whole(1, 24),
    }
    if s.chance(0.8):
        value["location"] = position(s)
    return value


def delivered(s: Source, ms: int) -> dict:
    method = s.pick(["signature", "signature", "pin", "photo", "safe_place"])
    proof = {"method": method, "capturedAt": timestamp(ms - s.whole(5, 90) * 1000)}
    if method in ("signature", "pin"):
        proof["receivedBy"] = s.pick(PEOPLE)
    return {
        "shipmentId": shipment_id(s),
        "deliveredAt": timestamp(ms),
        "location": position(s),
        "proof": proof,
    }


def delivery_failed(s: Source, ms: int) -> dict:
    value = {
        "shipmentId": shipment_id(s),
        "failedAt": timestamp(ms),
        "reason": s.pick(["nobody_home", "nobody_home", "address_unknown", "refused", "damaged", "access_denied"]),
        "attempt": s.whole(1, 3),
    }
    if value["attempt"] < 3:
        value["nextAttemptOn"] = timestamp(ms + 24 * 60 * MINUTE_MS)[:10]
    return value


def route_planned(s: Source, ms: int) -> dict:
    stops = s.whole(1, 3)
    waypoints = [{"sequence": 1, "kind": "depot", "position": position(s)}]
    for i in range(stops):
        waypoints.append({
            "sequence": i + 2,
            "kind": s.pick(["stop", "stop", "hub", "border"]),
            "position": position(s),
            "arriveBy": timestamp(ms + (i + 1) * s.whole(20, 90) * MINUTE_MS),
        })
    value = {
        "routeId": "R-" + s.digits(6),
        "plannedAt": timestamp(ms),
        "vehicleType": s.pick(["cargo_bike", "van", "van", "rigid_truck", "articulated_truck"]),
        "distanceKm": s.whole(12, 740),
        "durationMin": s.whole(30, 720),
        "waypoints": waypoints,
    }
    if s.chance(0.5):
        value["toll"] = money(s, 2, 180)
    return value


def vehicle_position(s: Source, ms: int) -> dict:
    moving = s.chance(0.85)
    return {
        "vehicleId": f"V-{s.whole(100, 179)}",
        "recordedAt": timestamp(ms),
        "position": position(s),
        "speedKmh": s.number(4, 88, 1) if moving else 0.0,
        "headingDeg": s.whole(0, 359),
        "ignition": moving,
    }


def inventory_level(s: Source, ms: int) -> dict:
    on_hand = s.whole(0, 4000)
    value = {
        "warehouse": s.pick(HUBS)[0] + "-W1",
        "sku": "SKU-" + s.digits(6),
        "onHand": on_hand,
        "reserved": s.whole(0, on_hand),
        "binLocation": f"{s.pick('ABCDEFGH')}-{s.whole(1, 40):02d}-{s.whole(1, 5)}",
        "countedAt": timestamp(ms),
    }
    if s.chance(0.6):
        value["reorderPoint"] = s.pick([50, 100, 250, 500])
    return value


def temperature(s: Source, ms: int) -> dict:
    frozen = s.chance(0.3)
    value = {
        "shipmentId": shipment_id(s),
        "sensorId": f"TL-{s.whole(1, 60):04d}",
        "recordedAt": timestamp(ms),
        "celsius": s.number(-24, -18, 1) if frozen else s.number(2.2, 7.6, 1),
    }
    if s.chance(0.5):
        value["humidityPct"] = s.number(35, 80, 1)
    return value


def customs_declared(s: Source, ms: int) -> dict:
    return {
        "declarationId": "26DE" + s.digits(14),
        "shipmentId": shipment_id(s),
        "filedAt": timestamp(ms),
        "procedure": s.pick(["import", "export", "export", "transit"]),
        "office": "DE00" + s.pick(["4851", "4852", "2103", "7302"]),
        "declarant": party(s),
        "items": [
            {
                "hsCode": s.pick(COMMODITIES),
                "originCountry": s.pick(["DE", "PL", "CN", "VN", "US", "CH"]),
                "netMassKg": s.number(0.4, 900, 1),
                "value": money(s, 40, 9000),
            }
            for _ in range(s.whole(1, 3))
        ],
    }


def dangerous_goods_declared(s: Source, ms: int) -> dict:
    goods = []
    for _ in range(s.pick([1, 1, 2])):
        number, hazard, group, name = s.pick(SUBSTANCES)
        item = {"unNumber": number, "hazardClass": hazard, "properShippingName": name,
                "netMassKg": s.number(0.5, 200, 1)}
        if group:
            item["packingGroup"] = group
        goods.append(item)
    return {
        "shipmentId": shipment_id(s),
        "declaredAt": timestamp(ms),
        "regulation": s.pick(["ADR", "ADR", "ADR", "IATA_DGR", "IMDG"]),
        "goods": goods,
    }


def locker_deposited(s: Source, ms: int) -> dict:
    """A new product nobody told the ontology's owners about: parcel lockers."""
    value = {
        "shipmentId": shipment_id(s),
        "depositedAt": timestamp(ms),
        "locker": {"id": "LK-" + s.digits(4), "compartment": s.whole(1, 48), "position": position(s)},
        "pickupCodeSent": True,
        "packages": [{"sscc": p["sscc"], "size": s.pick(["S", "M", "L"])} for p in (package(s),)],
    }
    return value


# event type -> (builder, events a minute). Telemetry has the rate the pack declares for it.
STREAMS = {
    "shipment.created": (shipment_created, 2.5),
    "shipment.updated": (shipment_updated, 2.5),
    "shipment.picked_up": (picked_up, 3),
    "shipment.delivered": (delivered, 3),
    "delivery.failed": (delivery_failed, 1 / 3),
    "route.planned": (route_planned, 1.5),
    "vehicle.position": (vehicle_position, 20),
    "inventory.level": (inventory_level, 4),
    "coldchain.temperature": (temperature, 5),
    "customs.declared": (customs_declared, 1),
    "dangerous_goods.declared": (dangerous_goods_declared, 1),
}

# --- What is wrong with the second file --------------------------------------------------------------------------


@dataclass(frozen=True)
class Drift:
    """One disagreement between the events and the pack."""

    kind: str
    event_type: str
    path: str
    outcome: str  # promoted | held | rejected | observed | alert: what `observe --promote auto` should make of it
    inject: Callable[[dict, Source], None]
    shows: Callable[[dict], bool]
    detail: str = ""
    because: str = ""  # what holds or rejects it: "doctrine:ID" or "guards:ID"
    share: float = 1.0  # of the events from `since` on
    since: int = 0  # minute of the file
    at_most: int = 1_000_000


def set_geofence(data, s):
    data["geofence"] = {**position(s), "radiusM": s.whole(20, 250)}


def set_photos(data, s):
    at = data["proof"]["capturedAt"]
    data["proof"]["photos"] = [
        {"uri": f"https://media.example.com/pod/{s.digits(9)}.jpg", "takenAt": at, "bytes": s.whole(40_000, 900_000)}
        for _ in range(s.whole(1, 2))
    ]


def rename_vehicle_type(data, _s):
    data["vehicleClass"] = data.pop("vehicleType")


DRIFT = [
    Drift("undeclared_field", "vehicle.position", "batteryPct", "promoted", since=12,
          inject=lambda d, s: d.update(batteryPct=s.whole(5, 100)),
          shows=lambda d: "batteryPct" in d),
    Drift("undeclared_field", "shipment.created", "consignee.address.lockerId", "promoted", since=10, share=0.3,
          inject=lambda d, s: d["consignee"]["address"].update(lockerId="LK-" + s.digits(4)),
          shows=lambda d: "lockerId" in d["consignee"]["address"]),
    Drift("undeclared_field", "shipment.delivered", "geofence", "promoted", since=8, share=0.7,
          inject=set_geofence,
          shows=lambda d: "geofence" in d),
    Drift("undeclared_field", "shipment.delivered", "proof.photos", "promoted", since=15, share=0.5,
          inject=set_photos,
          shows=lambda d: "photos" in d["proof"]),
    Drift("new_enum_value", "shipment.updated", "status", "promoted", detail="customs_hold", since=5, share=0.25,
          inject=lambda d, s: d.update(status="customs_hold"),
          shows=lambda d: d["status"] == "customs_hold"),
    Drift("type_changed", "route.planned", "distanceKm", "promoted", detail="integer→decimal", share=0.6,
          inject=lambda d, s: d.update(distanceKm=round(d["distanceKm"] + s.whole(1, 9) / 10, 1)),
          shows=lambda d: isinstance(d["distanceKm"], float)),
    Drift("type_changed", "shipment.picked_up", "driverId", "promoted", detail="string→integer", since=20, share=0.4,
          inject=lambda d, s: d.update(driverId=s.whole(10_000, 99_999)),
          shows=lambda d: isinstance(d["driverId"], int)),
    Drift("missing_required", "inventory.level", "binLocation", "promoted", share=0.2,
          inject=lambda d, s: d.pop("binLocation"),
          shows=lambda d: "binLocation" not in d),
    Drift("cardinality_changed", "shipment.created", "reference", "promoted", detail="0..1→0..*", since=10,
          share=0.35,
          inject=lambda d, s: d.update(reference=["PO-" + s.digits(7), "PO-" + s.digits(7)]),
          shows=lambda d: isinstance(d.get("reference"), list)),
    Drift("probable_rename", "route.planned", "vehicleClass", "promoted", detail="vehicleType→vehicleClass",
          inject=rename_vehicle_type,
          shows=lambda d: "vehicleClass" in d and "vehicleType" not in d),
    Drift("undeclared_field", "shipment.updated", "internalNote", "observed", since=30, share=0.5, at_most=5,
          inject=lambda d, s: d.update(internalNote="call " + s.digits(4)),
          shows=lambda d: "internalNote" in d),
    Drift("out_of_range", "coldchain.temperature", "celsius", "rejected", detail="at most 8", since=30, share=0.8,
          at_most=40, because="guards:cold-chain-limits",
          inject=lambda d, s: d.update(celsius=s.number(8.4, 13.9, 1)),
          shows=lambda d: d["celsius"] > 8),
    Drift("missing_required", "dangerous_goods.declared", "goods[].unNumber", "rejected", since=10, share=0.5,
          because="guards:dangerous-goods-interlock",
          inject=lambda d, s: d["goods"][-1].pop("unNumber"),
          shows=lambda d: any("unNumber" not in g for g in d["goods"])),
    Drift("undeclared_field", "customs.declared", "preferenceCertificate", "held", since=15,
          because="doctrine:customs-change-approval",
          inject=lambda d, s: d.update(preferenceCertificate="EUR.1-" + s.digits(7)),
          shows=lambda d: "preferenceCertificate" in d),
    Drift("unknown_event_type", "locker.deposited", "", "promoted", since=20,
          inject=lambda d, s: None,
          shows=lambda d: True),
]


@dataclass(frozen=True)
class Rate:
    """Too many events of one type: `extra` more in each of these minutes."""

    kind: str
    event_type: str
    outcome: str
    minutes: tuple[int, ...]
    extra: int


RATES = [
    Rate("frequency_anomaly", "vehicle.position", "promoted", minutes=(40, 41, 42), extra=80),
    Rate("error_spike", "delivery.failed", "alert", minutes=(55,), extra=36),
]

# --- Writing -----------------------------------------------------------------------------------------------------


def schedule(s: Source, minutes: range, rate: float, bursts: list[Rate]) -> list[int]:
    """Times in ms from the file's start: one event in each 1/rate minutes, up to a fifth of that late, and the bursts.

    Steady, as scheduled work and telemetry are."""
    count = int(len(minutes) * rate)
    steady = [int((minutes.start + (k + s.number(0, 0.2, 3)) / rate) * MINUTE_MS) for k in range(count)]
    extra = [minute * MINUTE_MS + s.whole(0, MINUTE_MS - 1)
             for burst in bursts for minute in burst.minutes for _ in range(burst.extra)]
    return sorted(steady + extra)


def stream_of(start_ms: int, minutes: int, name: str, drift: list[Drift], rates: list[Rate]):
    """The events of one file in order of time, and how often each drift was put in."""
    streams = {event_type: (build, rate, range(minutes)) for event_type, (build, rate) in STREAMS.items()}
    for d in drift:
        if d.kind == "unknown_event_type":
            streams[d.event_type] = (locker_deposited, 1, range(d.since, minutes))
    put_in = Counter()
    events = []
    for event_type, (build, rate, running) in streams.items():
        s = Source(f"knhk logistics {name} {event_type}")
        bursts = [r for r in rates if r.event_type == event_type]
        drifts = [(i, d) for i, d in enumerate(drift) if d.event_type == event_type]
        for offset in schedule(s, running, rate, bursts):
            ms = start_ms + offset
            data = build(s, ms)
            for i, d in drifts:
                if offset >= d.since * MINUTE_MS and put_in[i] < d.at_most and s.chance(d.share):
                    d.inject(data, s)
                    put_in[i] += 1
            events.append((ms, event_type, data))
    events.sort(key=lambda e: (e[0], e[1]))
    envelopes = [
        {
            "specversion": "1.0",
            "id": f"{name[0]}{number:05d}",
            "source": "/carrier/" + ("telematics" if event_type == "vehicle.position" else "operations"),
            "type": PREFIX + event_type,
            "time": timestamp(ms),
            "data": data,
        }
        for number, (ms, event_type, data) in enumerate(events)
    ]
    return envelopes, put_in


def ndjson(events: list[dict]) -> bytes:
    return "".join(json.dumps(e, ensure_ascii=False, separators=(",", ":")) + "\n" for e in events).encode()


def busiest_window(events: list[dict], event_type: str) -> tuple[int, int]:
    """The most events of a type in any 60 consecutive seconds, and the most of all types in such a window."""
    seconds = [int(datetime.fromisoformat(e["time"].replace("Z", "+00:00")).timestamp()) for e in events]
    own = Counter(s for s, e in zip(seconds, events) if e["type"] == event_type)
    every = Counter(seconds)
    windows = [range(first, first + 60) for first in range(min(seconds), max(seconds) + 1)]
    return max((sum(own[s] for s in w), sum(every[s] for s in w)) for w in windows)


def truth_of_drift(text: bytes, start_ms: int, put_in: Counter) -> list[dict]:
    """Counts on the lines as written. Raises when a count differs from what was put in."""
    events = [json.loads(line) for line in text.decode().splitlines()]
    by_type: dict[str, list[dict]] = {}
    for event in events:
        by_type.setdefault(event["type"].removeprefix(PREFIX), []).append(event)
    expected = []
    for i, d in enumerate(DRIFT):
        of = by_type[d.event_type]
        n = sum(1 for event in of if d.shows(event["data"]))
        if n != put_in[i]:
            raise SystemExit(f"{d.kind} {d.event_type} {d.path}: put in {put_in[i]}, counted {n}")
        entry = {"kind": d.kind, "event_type": PREFIX + d.event_type, "path": d.path, "detail": d.detail,
                 "n": n, "of": len(of), "outcome": d.outcome, "because": d.because}
        expected.append({k: v for k, v in entry.items() if v != "" or k == "path"})
    for r in RATES:
        n, of = busiest_window(events, PREFIX + r.event_type)
        minutes = [timestamp(start_ms + m * MINUTE_MS) for m in r.minutes]
        expected.append({"kind": r.kind, "event_type": PREFIX + r.event_type, "path": "", "minutes": minutes,
                         "n": n, "of": len(by_type[r.event_type]) if r.kind == "frequency_anomaly" else of,
                         "outcome": r.outcome})
    return expected


def broken_lines() -> list[tuple[str, bytes]]:
    """(code of the reject, or empty for a good line; the line). Codes are those of docs/formats/events.md."""
    s = Source("knhk logistics broken")
    ms = unix_ms(10)

    def event(number: int, **changes) -> dict:
        value = {"specversion": "1.0", "id": f"b{number:05d}", "source": "/carrier/operations",
                 "type": PREFIX + "inventory.level", "time": timestamp(ms + number * 1000),
                 "data": inventory_level(s, ms)}
        value.update(changes)
        return {k: v for k, v in value.items() if v is not None}

    def text(value: dict) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    on_hand = b'"onHand":'
    return [
        ("", text(event(1))),
        ("KNHK-E1510", text(event(2))[:-20]),
        ("KNHK-E1510", text(event(3)).replace(on_hand, b'"onHand":NaN,"was":')),
        ("KNHK-E1514", text(event(4)).replace(on_hand, b'"onHand":7,"onHand":')),
        ("KNHK-E1515", text(event(5, type=None))),
        ("KNHK-E1516", text(event(6, time="yesterday"))),
        ("KNHK-E1511", text(event(7)).replace(b"SKU-", b"SKU\xff")),
        ("KNHK-E1513", text(event(8, data="@")).replace(b'"@"', b"[" * 200 + b"]" * 200)),
        ("KNHK-E1517", b"42"),
        ("KNHK-E1517", text(event(10, specversion="0.3"))),
        ("KNHK-E1510", text(event(11)) + b"}"),
        ("", text(event(12))),
    ]


def files() -> dict[str, bytes]:
    normal_events, _ = stream_of(unix_ms(2), 60, "normal", [], [])
    drift_events, put_in = stream_of(unix_ms(9), 80, "drift", DRIFT, RATES)
    normal, drift, broken = ndjson(normal_events), ndjson(drift_events), broken_lines()
    truth = {
        "events-normal.ndjson": {"events": len(normal_events), "expected": []},
        "events-drift.ndjson": {"events": len(drift_events), "expected": truth_of_drift(drift, unix_ms(9), put_in)},
        "events-broken.ndjson": {
            "events": sum(1 for code, _ in broken if not code),
            "rejected": [{"line": i + 1, "code": code} for i, (code, _) in enumerate(broken) if code],
        },
    }
    return {
        "events-normal.ndjson": normal,
        "events-drift.ndjson": drift,
        "events-broken.ndjson": b"".join(line + b"\n" for _, line in broken),
        "truth.json": (json.dumps(truth, indent=1, ensure_ascii=False) + "\n").encode(),
    }


def main() -> None:
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        raise SystemExit(__doc__)
    for name, content in files().items():
        path = HERE / name
        if check:
            if path.read_bytes() != content:
                raise SystemExit(f"{path} is not what this program writes")
        else:
            path.write_bytes(content)
        print(f"{hashlib.sha256(content).hexdigest()}  {len(content):>8}  {name}")


if __name__ == "__main__":
    main()
