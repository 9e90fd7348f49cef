"""The vendor's SDK against the simulator: what the SDK cannot read, or reads differently from what was sent, is a fault of ours.

Every answer to a call of the SDK (of long lists: some records) is compared with the SDK's models, and ROUTES has a call for
everything that the simulator says it serves. One simulator for all tests; prints one line a test and "N passed, N failed".
"""

import datetime
import functools
import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import time
import traceback
import urllib.request

import PureCloudPlatformClientV2 as sdk
import urllib3
from PureCloudPlatformClientV2.rest import ApiException

CLIENT = ("simulator-client", "simulator-secret")
# The history begins at a midnight four days ago; the tests look at its third day, which is over.
START = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0) - datetime.timedelta(days=4)


def instant(**after_start):
    return (START + datetime.timedelta(**after_start)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


TEN = instant(days=2, hours=10)
ELEVEN = instant(days=2, hours=11)
HOUR = f"{TEN}/{ELEVEN}"
DAY = f"{instant(days=2)}/{instant(days=3)}"

# The SDK waits out Retry-After by itself, ten times; what it is told is what is tested here.
urllib3.util.Retry = functools.partial(urllib3.util.Retry, 0)

# Routes, their places without names, that the simulator has answered so that the SDK could read it.
ANSWERED = set()


def without_names(route):
    return re.sub(r"\{[^}]*\}", "{}", route)


def thinned(answer, most=50):
    """Of long lists of records some from begin to end: a page of a thousand takes the SDK many seconds."""
    return {name: value[::-(-len(value) // most)] if isinstance(value, list) and value else value for name, value in answer.items()}


class Client(sdk.api_client.ApiClient):
    """Whatever answers a call of the SDK is compared with the model that the SDK has for it."""

    def call_api(self, resource_path, method, *places, response_type=None, **more):
        answer = super().call_api(resource_path, method, *places, response_type=response_type, **more)
        raw = self.last_response.data
        if response_type is None:
            assert raw == "", f"{method} {resource_path}: the SDK expects no body"
        else:
            value = thinned(json.loads(raw))
            expect_model(value, response_type)
            expect_read_back(self, value, response_type)
        ANSWERED.add(f"{method} {without_names(resource_path)}")
        return answer


class Simulator:
    def __init__(self, program, *options):
        self.process = subprocess.Popen(
            [program, "--start", START.strftime("%Y-%m-%dT%H:%M:%SZ"), "--spacing", "30s",
             "--lake-lag", "1s", "--lake-step", "1s", "--job-time", "1500ms", "--late-share", "0.3", "--late-after", "6h",
             "--reopen-share", "0.1",
             "--long-share", "0.05", "--long-duration", "90d", *options],
            stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self.process.stdout.readline())["listening"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(10) == 0, "the simulator must end with 0 on SIGTERM"

    def client(self, secret=CLIENT[1]):
        client = Client(host=self.url).get_client_credentials_token(CLIENT[0], secret)
        ANSWERED.add("POST /oauth/token")
        return client

    def raw(self, method, path, body=None, token=None):
        request = urllib.request.Request(self.url + path, method=method, data=None if body is None else json.dumps(body).encode())
        if token:
            request.add_header("Authorization", "Bearer " + token)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())


# ---- raw JSON against the SDK's models, both ways ----

@functools.lru_cache(maxsize=None)
def members_of(type_name):
    """The members of a model as they are spelled in JSON: the attribute and its type."""
    model = getattr(sdk, type_name)()
    return {spelled: (name, model.swagger_types[name]) for name, spelled in model.attribute_map.items()}


@functools.lru_cache(maxsize=100_000)
def is_outside_enum(type_name, attribute, value):
    # The setter knows the enum; what is outside becomes this text.
    model = getattr(sdk, type_name)()
    setattr(model, attribute, value)
    return getattr(model, attribute) == "outdated_sdk_version"


def compare(value, type_name, where, problems):
    """Walks raw JSON along the model the SDK has for it: unknown members, wrong types, values outside an enum."""
    if value is None:
        problems.append(f"{where}: null, where the service leaves a member out")
        return
    listed = re.fullmatch(r"list\[(.+)\]", type_name)
    mapped = re.fullmatch(r"dict\(str, (.+)\)", type_name)
    if listed:
        if not isinstance(value, list):
            problems.append(f"{where}: not an array")
            return
        for number, item in enumerate(value):
            compare(item, listed.group(1), f"{where}[{number}]", problems)
    elif mapped:
        if not isinstance(value, dict):
            problems.append(f"{where}: not an object")
            return
        for key, item in value.items():
            compare(item, mapped.group(1), f"{where}.{key}", problems)
    elif type_name == "str":
        if not isinstance(value, str):
            problems.append(f"{where}: not a text")
    elif type_name == "int":
        if not isinstance(value, int) or isinstance(value, bool):
            problems.append(f"{where}: not an integer")
    elif type_name == "float":
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            problems.append(f"{where}: not a number")
    elif type_name == "bool":
        if not isinstance(value, bool):
            problems.append(f"{where}: not a boolean")
    elif type_name == "datetime":
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", value):
            problems.append(f"{where}: not a UTC instant: {value!r}")
    elif type_name == "object":
        pass
    else:
        members = members_of(type_name)
        if not isinstance(value, dict):
            problems.append(f"{where}: not an object")
            return
        for key, item in value.items():
            if key not in members:
                problems.append(f"{where}.{key}: unknown to {type_name}")
                continue
            attribute, member_type = members[key]
            compare(item, member_type, f"{where}.{key}", problems)
            if isinstance(item, str) and member_type == "str" and is_outside_enum(type_name, attribute, item):
                problems.append(f"{where}.{key}: {item!r} is outside the enum of {type_name}")


def expect_model(value, type_name):
    problems = []
    compare(value, type_name, type_name, problems)
    assert not problems, "; ".join(problems[:8])


def expect_read_back(api_client, value, type_name):
    """The SDK's object, written again, holds every leaf that was sent."""

    class Response:
        data = json.dumps(value)

        @staticmethod
        def getheader(_name, _default=None):
            return "application/json"

    model = api_client.deserialize(Response(), type_name)
    again = api_client.sanitize_for_serialization(model)
    lost = []

    def same(sent, read, where):
        if isinstance(sent, dict):
            for key in sent:
                if not isinstance(read, dict) or key not in read:
                    lost.append(f"{where}.{key}")
                else:
                    same(sent[key], read[key], f"{where}.{key}")
        elif isinstance(sent, list):
            if not isinstance(read, list) or len(sent) != len(read):
                lost.append(where)
            else:
                for number, item in enumerate(sent):
                    same(item, read[number], f"{where}[{number}]")
        elif isinstance(sent, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[^/]*Z", sent):
            if datetime.datetime.fromisoformat(sent.replace("Z", "+00:00")) != datetime.datetime.fromisoformat(
                    str(read).replace("Z", "+00:00")).astimezone(datetime.timezone.utc):
                lost.append(f"{where}: {sent} read as {read}")
        elif sent != read:
            lost.append(f"{where}: {sent!r} read as {read!r}")

    same(value, again, type_name)
    assert not lost, "; ".join(lost[:8])


def refusal(call):
    """The ApiException of a call that must fail, and its body."""
    try:
        call()
    except ApiException as error:
        body = json.loads(error.body)
        if "code" in body:
            expect_model(body, "ErrorBody")
            assert body["status"] == error.status, body
            assert body["contextId"] == error.headers["ININ-Correlation-Id"], body
        return error, body
    raise AssertionError("must have been refused")


def states_until(ask, wanted):
    """The states of a job, asked for again and again until it has the wanted one."""
    seen = []
    for _ in range(300):
        seen.append(ask().state)
        if seen[-1] == wanted:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"never {wanted}: {seen}")


def query_body(interval, number, size, **more):
    body = sdk.ConversationQuery()
    body.interval = interval
    body.paging = sdk.PagingSpec()
    body.paging.page_number, body.paging.page_size = number, size
    for name, value in more.items():
        setattr(body, name, value)
    return body


# ---- the tests ----

def test_login(simulator):
    assert simulator.client().access_token.startswith("sim-")
    error, body = refusal(lambda: simulator.client("wrong"))
    assert error.status == 400 and body == {"error": "invalid_client", "description": "authentication failed",
                                            "error_description": "authentication failed"}, body


def test_a_bad_token_is_401(simulator):
    client = simulator.client()
    client.access_token = "nonsense"
    error, body = refusal(sdk.OrganizationApi(client).get_organizations_me)
    assert error.status == 401 and body["code"] == "bad.credentials", body


def test_organization_token_limits_and_grants(simulator):
    client = simulator.client()
    organization = sdk.OrganizationApi(client).get_organizations_me()
    assert organization.state == "active" and organization.id
    token = sdk.TokensApi(client).get_tokens_me()
    assert token.organization.id == organization.id and token.o_auth_client.id == CLIENT[0]
    limits = sdk.OrganizationApi(client).get_organizations_limits_namespace("platform.api")
    assert {limit.key: limit.value for limit in limits.entities}["client.credentials.token.rate.per.minute"] == 300
    subject = sdk.AuthorizationApi(client).get_authorization_subjects_me()
    assert any(policy.entity_name == "conversationDetail" for policy in subject.grants[0].role.policies)


def test_a_revoked_token_is_refused(simulator):
    client = simulator.client()
    api = sdk.TokensApi(client)
    api.delete_tokens_me()
    assert refusal(api.get_tokens_me)[0].status == 401


def test_query_pages_to_the_end(simulator):
    api = sdk.ConversationsApi(simulator.client())
    ids, number = [], 1
    while True:
        page = api.post_analytics_conversations_details_query(query_body(HOUR, number, 25))
        if page.conversations is None:
            break
        ids += [conversation.conversation_id for conversation in page.conversations]
        number += 1
    assert page.total_hits == len(ids) == len(set(ids)) >= 120, (page.total_hits, len(ids))
    truth = simulator.raw("GET", f"/_sim/truth?from={TEN}&to={ELEVEN}")
    assert {row["id"] for row in truth} <= set(ids)


def test_query_filters(simulator):
    api = sdk.ConversationsApi(simulator.client())
    predicate = sdk.SegmentDetailQueryPredicate()
    predicate.type, predicate.dimension, predicate.operator, predicate.value = "dimension", "mediaType", "matches", "voice"
    media = sdk.SegmentDetailQueryFilter()
    media.type, media.predicates = "and", [predicate]
    ended = sdk.ConversationDetailQueryPredicate()
    ended.type, ended.dimension, ended.operator = "dimension", "conversationEnd", "notExists"
    still_open = sdk.ConversationDetailQueryFilter()
    still_open.type, still_open.predicates = "and", [ended]
    page = api.post_analytics_conversations_details_query(
        query_body(DAY, 1, 100, segment_filters=[media], conversation_filters=[still_open]))
    assert page.conversations and page.total_hits > 10
    assert all(conversation.conversation_end is None for conversation in page.conversations)
    assert all(conversation.participants[0].sessions[0].media_type == "voice" for conversation in page.conversations)


def test_refusals_carry_the_error_body(simulator):
    api = sdk.ConversationsApi(simulator.client())
    query = api.post_analytics_conversations_details_query
    for body, code, text in (
            (query_body(HOUR, 1, 101), "invalid.value", "101"),
            (query_body(HOUR, 1001, 100), "bad.request", "Pagination may not exceed 100000 results."),
            (query_body(f"{instant(days=-7)}/{instant(days=1)}", 1, 25), "bad.request", "does not exceed 7 days"),
            (query_body("nonsense", 1, 25), "invalid.date", "nonsense")):
        error, answer = refusal(lambda body=body: query(body))
        assert error.status == 400 and answer["code"] == code and text in answer["message"], answer
    error, answer = refusal(lambda: api.get_analytics_conversation_details("00000000-0000-4000-8000-000000000000"))
    assert error.status == 404 and answer["code"] == "not.found"


def test_job_life_cycle_with_cursors(simulator):
    api = sdk.ConversationsApi(simulator.client())
    available = api.get_analytics_conversations_details_jobs_availability().data_availability_date
    assert available > START
    body = sdk.AsyncConversationQuery()
    body.interval, body.start_of_day_interval_matching = DAY, True
    job = api.post_analytics_conversations_details_jobs(body).job_id
    error, _ = refusal(lambda: api.get_analytics_conversations_details_job_results(job))
    assert error.status == 400
    seen = states_until(lambda: api.get_analytics_conversations_details_job(job), "FULFILLED")
    status = api.get_analytics_conversations_details_job(job)
    assert seen[0] in ("QUEUED", "PENDING") and status.expiration_date > status.completion_date, seen
    ids, cursor, pages = [], None, 0
    while True:
        arguments = {"page_size": 1000} | ({"cursor": cursor} if cursor else {})
        results = api.get_analytics_conversations_details_job_results(job, **arguments)
        ids += [conversation.conversation_id for conversation in results.conversations]
        assert results.data_availability_date is not None
        pages, cursor = pages + 1, results.cursor
        if cursor is None:
            break
    assert pages == 3 and len(ids) == len(set(ids)) == 2880, (pages, len(ids))
    assert refusal(lambda: api.get_analytics_conversations_details_job_results(job, cursor="nonsense"))[0].status == 400
    api.delete_analytics_conversations_details_job(job)
    assert refusal(lambda: api.get_analytics_conversations_details_job(job))[0].status == 404


def test_reads_by_id(simulator):
    api = sdk.ConversationsApi(simulator.client())
    ids = [row["id"] for row in simulator.raw("GET", f"/_sim/truth?from={TEN}&to={instant(days=2, hours=10, minutes=2)}")]
    assert api.get_analytics_conversation_details(ids[0]).conversation_id == ids[0]
    many = api.get_analytics_conversations_details(id=ids)
    assert [conversation.conversation_id for conversation in many.conversations] == ids


def test_conversation_records_fit_the_models(simulator):
    client = simulator.client()
    token = client.access_token
    raw = simulator.raw("POST", "/api/v2/analytics/conversations/details/query",
                        {"interval": DAY, "paging": {"pageSize": 100, "pageNumber": 3}}, token)
    expect_model(raw, "AnalyticsConversationQueryResponse")
    expect_read_back(client, raw, "AnalyticsConversationQueryResponse")
    job = simulator.raw("POST", "/api/v2/analytics/conversations/details/jobs", {"interval": DAY, "limit": 300}, token)
    expect_model(job, "AsyncQueryResponse")
    path = "/api/v2/analytics/conversations/details/jobs/" + job["jobId"]
    status = simulator.raw("GET", path, token=token)
    expect_model(status, "AsyncQueryStatus")
    while status["state"] != "FULFILLED":
        time.sleep(0.1)
        status = simulator.raw("GET", path, token=token)
    expect_model(status, "AsyncQueryStatus")
    results = simulator.raw("GET", path + "/results?pageSize=300", token=token)
    expect_model(results, "AnalyticsConversationAsyncQueryResponse")
    expect_read_back(client, results, "AnalyticsConversationAsyncQueryResponse")
    participants = [participant for row in results["conversations"] for participant in row["participants"]]
    assert any("attributes" in participant for participant in participants)
    assert any("evaluations" in row for row in results["conversations"])
    assert any("surveys" in row for row in results["conversations"])
    metrics = [metric for participant in participants for session in participant["sessions"] for metric in session["metrics"]]
    assert any(metric["value"] > 2**32 for metric in metrics), "a metric beyond 32 bits"


def test_every_moment_of_a_life_fits_the_model(simulator):
    row = simulator.raw("GET", f"/_sim/truth?from={TEN}&to={instant(days=2, hours=10, minutes=2)}")[0]
    start = datetime.datetime.fromisoformat(row["start"].replace("Z", "+00:00"))
    for seconds in (0, 5, 15, 30, 60, 120, 200, 240, 300, 400, 500, 3600, 90000, 180000, 9000000):
        moment = (start + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.999Z")
        for form, model in (("query", "AnalyticsConversationWithoutAttributes"), ("job", "AnalyticsConversation")):
            expect_model(simulator.raw("GET", f"/_sim/record?id={row['id']}&form={form}&at={moment}"), model)


def test_user_details(simulator):
    client = simulator.client()
    body = sdk.UserDetailsQuery()
    body.interval = HOUR
    body.paging = sdk.PagingSpec()
    body.paging.page_number, body.paging.page_size = 1, 100
    details = sdk.UsersApi(client).post_analytics_users_details_query(body)
    assert details.total_hits == len(details.user_details) == 20
    raw = simulator.raw("POST", "/api/v2/analytics/users/details/query", {"interval": HOUR}, client.access_token)
    expect_model(raw, "AnalyticsUserDetailsQueryResponse")
    expect_read_back(client, raw, "AnalyticsUserDetailsQueryResponse")
    job = sdk.AsyncUserDetailsQuery()
    job.interval = HOUR
    api = sdk.UsersApi(client)
    job_id = api.post_analytics_users_details_jobs(job).job_id
    states_until(lambda: api.get_analytics_users_details_job(job_id), "FULFILLED")
    assert len(api.get_analytics_users_details_job_results(job_id, page_size=100).user_details) == 20


def test_conversation_aggregates(simulator):
    client = simulator.client()
    body = {"interval": HOUR, "granularity": "PT30M", "groupBy": ["queueId", "mediaType"],
            "metrics": ["nOffered", "nConnected", "tAnswered", "tHandle", "oServiceLevel"]}
    raw = simulator.raw("POST", "/api/v2/analytics/conversations/aggregates/query", body, client.access_token)
    expect_model(raw, "ConversationAggregateQueryResponse")
    expect_read_back(client, raw, "ConversationAggregateQueryResponse")
    query = sdk.ConversationAggregationQuery()
    query.interval, query.metrics, query.group_by = HOUR, ["nConnected"], ["mediaType"]
    answer = sdk.ConversationsApi(client).post_analytics_conversations_aggregates_query(query)
    assert sum(group.data[0].metrics[0].stats.count for group in answer.results) == 120


def test_user_aggregates(simulator):
    client = simulator.client()
    raw = simulator.raw("POST", "/api/v2/analytics/users/aggregates/query",
                        {"interval": HOUR, "groupBy": ["userId"], "metrics": ["tSystemPresence", "tAgentRoutingStatus", "tOrganizationPresence"]},
                        client.access_token)
    expect_model(raw, "UserAggregateQueryResponse")
    query = sdk.UserAggregationQuery()
    query.interval, query.metrics = HOUR, ["tSystemPresence"]
    assert sdk.UsersApi(client).post_analytics_users_aggregates_query(query).results


def test_queue_observations(simulator):
    client = simulator.client()
    record = simulator.raw("GET", f"/_sim/truth?from={TEN}&to={instant(days=2, hours=10, minutes=1)}")[0]["id"]
    details = sdk.ConversationsApi(client).get_analytics_conversation_details(record)
    queue = next(segment.queue_id for segment in details.participants[0].sessions[0].segments if segment.queue_id)
    body = {"filter": {"type": "or", "predicates": [{"dimension": "queueId", "value": queue}]},
            "metrics": ["oInteracting", "oWaiting", "oUserRoutingStatuses", "oUserPresences"], "detailMetrics": ["oInteracting"]}
    raw = simulator.raw("POST", "/api/v2/analytics/queues/observations/query", body, client.access_token)
    expect_model(raw, "QueueObservationQueryResponse")
    assert raw["results"]
    expect_read_back(client, raw, "QueueObservationQueryResponse")
    query = sdk.QueueObservationQuery()
    query.metrics = ["oWaiting"]
    query.filter = sdk.QueueObservationQueryFilter()
    query.filter.type, query.filter.predicates = "or", []
    assert refusal(lambda: sdk.RoutingApi(client).post_analytics_queues_observations_query(query))[0].status == 400


def audit_body(model, **more):
    body = model()
    body.interval = DAY
    body.sort = [sdk.AuditQuerySort()]
    body.sort[0].name, body.sort[0].sort_order = "Timestamp", "ascending"
    for name, value in more.items():
        setattr(body, name, value)
    return body


def test_realtime_audits_page_to_the_end(simulator):
    api = sdk.AuditApi(simulator.client())
    seen, number = [], 1
    while True:
        page = api.post_audits_query_realtime(audit_body(sdk.AuditRealtimeQueryRequest, page_number=number, page_size=200))
        seen += page.entities
        if number >= page.page_count:
            break
        number += 1
    assert len(seen) == page.total == len({audit.id for audit in seen}) > 400, (len(seen), page.total)
    assert number == page.page_count == 4, number
    times = [audit.event_date for audit in seen]
    assert times == sorted(times) and times[0] >= START
    of_one = api.post_audits_query_realtime(audit_body(sdk.AuditRealtimeQueryRequest, service_name="Routing", page_size=500)).entities
    assert {audit.service_name for audit in of_one} == {"Routing"} and {audit.id for audit in of_one} < {audit.id for audit in seen}
    error, body = refusal(lambda: api.post_audits_query_realtime(audit_body(sdk.AuditRealtimeQueryRequest, page_size=501)))
    assert error.status == 400 and body["code"] == "invalid.value", body


def test_audit_query_life_cycle_with_cursors(simulator):
    api = sdk.AuditApi(simulator.client())
    transaction = api.post_audits_query(audit_body(sdk.AuditQueryRequest)).id
    assert refusal(lambda: api.get_audits_query_transaction_id_results(transaction))[0].status == 400
    assert refusal(lambda: api.post_audits_query(audit_body(sdk.AuditQueryRequest)))[0].status == 409
    seen = states_until(lambda: api.get_audits_query_transaction_id(transaction), "Succeeded")
    assert seen[0] in ("Queued", "Running"), seen
    audits, cursor, pages = [], None, 0
    while True:
        results = api.get_audits_query_transaction_id_results(transaction, page_size=500, **({"cursor": cursor} if cursor else {}))
        audits += results.entities
        pages, cursor = pages + 1, results.cursor
        if cursor is None:
            break
    # One every 97 seconds; a service of them is in no realtime query.
    assert pages == 2 and len(audits) == len({audit.id for audit in audits}) in (890, 891), (pages, len(audits))
    realtime = api.post_audits_query_realtime(audit_body(sdk.AuditRealtimeQueryRequest, page_size=500)).entities
    same = {audit.id: audit.to_dict() for audit in audits}
    assert all(same[audit.id] == audit.to_dict() for audit in realtime)
    assert {audit.service_name for audit in audits} > {audit.service_name for audit in realtime}
    assert refusal(lambda: api.get_audits_query_transaction_id_results(transaction, cursor="nonsense"))[0].status == 400
    assert refusal(lambda: api.get_audits_query_transaction_id("00000000-0000-4000-8000-000000000000"))[0].status == 404


def test_a_429_has_headers_and_limit(simulator):
    # Its own token, so that the count is its own.
    client = simulator.client()
    api = sdk.OrganizationApi(client)
    for count in range(1, 301):
        api.get_organizations_me()
        if count in (1, 300):
            headers = client.last_response.getheaders()
            assert (headers["inin-ratelimit-count"], headers["inin-ratelimit-allowed"]) == (str(count), "300"), headers
            assert 0 < int(headers["inin-ratelimit-reset"]) <= 60
    error, body = refusal(api.get_organizations_me)
    assert error.status == 429 and body["code"] == "too.many.requests.retry.after"
    assert 0 < int(error.headers["Retry-After"]) <= 60
    assert body["limit"] == {"key": "client.credentials.token.rate.per.minute", "namespace": "platform.api", "value": 300}


def test_scripted_faults_reach_the_sdk(simulator):
    api = sdk.OrganizationApi(simulator.client())
    for status, code in ((403, "missing.any.permissions"), (500, "internal.server.error"), (503, "service.unavailable"), (504, "request.timeout")):
        simulator.raw("POST", "/_sim/faults", {"rules": [{"match": {"path": "organizations/me", "nth": 1}, "fault": {"kind": "status", "status": status}}]})
        error, body = refusal(api.get_organizations_me)
        assert error.status == status and body["code"] == code, body
        simulator.raw("POST", "/_sim/reset-faults", {})
    assert api.get_organizations_me().id


# ---- everything that is served ----

def body_of(model, **members):
    body = model()
    for name, value in members.items():
        setattr(body, name, value)
    return body


class Calls:
    """The SDK's classes, and what the calls below need to exist."""

    def __init__(self, simulator):
        self.simulator = simulator
        self.client = simulator.client()
        self.audits = sdk.AuditApi(self.client)
        self.authorization = sdk.AuthorizationApi(self.client)
        self.conversations = sdk.ConversationsApi(self.client)
        self.organization = sdk.OrganizationApi(self.client)
        self.routing = sdk.RoutingApi(self.client)
        self.users = sdk.UsersApi(self.client)

    @functools.cached_property
    def conversation(self):
        return self.simulator.raw("GET", f"/_sim/truth?from={TEN}&to={instant(days=2, hours=10, minutes=1)}")[0]["id"]

    @functools.cached_property
    def queue(self):
        details = self.conversations.get_analytics_conversation_details(self.conversation)
        return next(segment.queue_id for segment in details.participants[0].sessions[0].segments if segment.queue_id)

    def conversation_job(self):
        return self.conversations.post_analytics_conversations_details_jobs(body_of(sdk.AsyncConversationQuery, interval=HOUR)).job_id

    @functools.cached_property
    def done_conversation_job(self):
        job = self.conversation_job()
        states_until(lambda: self.conversations.get_analytics_conversations_details_job(job), "FULFILLED")
        return job

    def user_job(self):
        return self.users.post_analytics_users_details_jobs(body_of(sdk.AsyncUserDetailsQuery, interval=HOUR)).job_id

    @functools.cached_property
    def done_user_job(self):
        job = self.user_job()
        states_until(lambda: self.users.get_analytics_users_details_job(job), "FULFILLED")
        return job

    @functools.cached_property
    def done_audit_query(self):
        # One at a time.
        transaction = self.audits.post_audits_query(audit_body(sdk.AuditQueryRequest)).id
        states_until(lambda: self.audits.get_audits_query_transaction_id(transaction), "Succeeded")
        return transaction

    def queue_observations(self):
        of_queue = body_of(sdk.QueueObservationQueryPredicate, dimension="queueId", value=self.queue)
        body = body_of(sdk.QueueObservationQuery, metrics=["oInteracting", "oUserPresences", "oUserRoutingStatuses", "oWaiting"],
                       filter=body_of(sdk.QueueObservationQueryFilter, type="or", predicates=[of_queue]))
        return self.routing.post_analytics_queues_observations_query(body).results


ANALYTICS = "/api/v2/analytics"
# A call for each route; what it returns must not be empty.
ROUTES = {
    f"POST {ANALYTICS}/conversations/details/query":
        lambda calls: calls.conversations.post_analytics_conversations_details_query(query_body(HOUR, 1, 25)).conversations,
    f"POST {ANALYTICS}/conversations/details/jobs": lambda calls: calls.conversation_job(),
    f"GET {ANALYTICS}/conversations/details/jobs/availability":
        lambda calls: calls.conversations.get_analytics_conversations_details_jobs_availability().data_availability_date,
    f"GET {ANALYTICS}/conversations/details/jobs/{{id}}":
        lambda calls: calls.conversations.get_analytics_conversations_details_job(calls.done_conversation_job).state,
    f"DELETE {ANALYTICS}/conversations/details/jobs/{{id}}":
        lambda calls: calls.conversations.delete_analytics_conversations_details_job(calls.conversation_job()) or "done",
    f"GET {ANALYTICS}/conversations/details/jobs/{{id}}/results":
        lambda calls: calls.conversations.get_analytics_conversations_details_job_results(
            calls.done_conversation_job, page_size=20).conversations,
    f"GET {ANALYTICS}/conversations/details":
        lambda calls: calls.conversations.get_analytics_conversations_details(id=[calls.conversation]).conversations,
    f"GET {ANALYTICS}/conversations/{{id}}/details":
        lambda calls: calls.conversations.get_analytics_conversation_details(calls.conversation).participants,
    f"POST {ANALYTICS}/conversations/aggregates/query":
        lambda calls: calls.conversations.post_analytics_conversations_aggregates_query(
            body_of(sdk.ConversationAggregationQuery, interval=HOUR, granularity="PT30M", metrics=["nConnected", "tHandle"],
                    group_by=["queueId", "mediaType"])).results,
    f"POST {ANALYTICS}/users/details/query":
        lambda calls: calls.users.post_analytics_users_details_query(body_of(sdk.UserDetailsQuery, interval=HOUR)).user_details,
    f"POST {ANALYTICS}/users/details/jobs": lambda calls: calls.user_job(),
    f"GET {ANALYTICS}/users/details/jobs/availability":
        lambda calls: calls.users.get_analytics_users_details_jobs_availability().data_availability_date,
    f"GET {ANALYTICS}/users/details/jobs/{{id}}":
        lambda calls: calls.users.get_analytics_users_details_job(calls.done_user_job).state,
    f"DELETE {ANALYTICS}/users/details/jobs/{{id}}":
        lambda calls: calls.users.delete_analytics_users_details_job(calls.user_job()) or "done",
    f"GET {ANALYTICS}/users/details/jobs/{{id}}/results":
        lambda calls: calls.users.get_analytics_users_details_job_results(calls.done_user_job, page_size=20).user_details,
    f"POST {ANALYTICS}/users/aggregates/query":
        lambda calls: calls.users.post_analytics_users_aggregates_query(
            body_of(sdk.UserAggregationQuery, interval=HOUR, metrics=["tSystemPresence"], group_by=["userId"])).results,
    f"POST {ANALYTICS}/queues/observations/query": lambda calls: calls.queue_observations(),
    "POST /api/v2/audits/query/realtime":
        lambda calls: calls.audits.post_audits_query_realtime(audit_body(sdk.AuditRealtimeQueryRequest)).entities,
    # Before those that ask for the same query.
    "POST /api/v2/audits/query": lambda calls: calls.done_audit_query,
    "GET /api/v2/audits/query/{id}": lambda calls: calls.audits.get_audits_query_transaction_id(calls.done_audit_query).state,
    "GET /api/v2/audits/query/{id}/results":
        lambda calls: calls.audits.get_audits_query_transaction_id_results(calls.done_audit_query).entities,
    "GET /api/v2/organizations/me": lambda calls: calls.organization.get_organizations_me().id,
    "GET /api/v2/organizations/limits/namespaces/{ns}":
        lambda calls: [limits for name in ("platform.api", "analytics")
                       for limits in calls.organization.get_organizations_limits_namespace(name).entities],
    "GET /api/v2/tokens/me": lambda calls: sdk.TokensApi(calls.client).get_tokens_me().organization.id,
    "HEAD /api/v2/tokens/me": lambda calls: sdk.TokensApi(calls.client).head_tokens_me() or "done",
    "DELETE /api/v2/tokens/me": lambda calls: sdk.TokensApi(calls.simulator.client()).delete_tokens_me() or "done",
    "GET /api/v2/authorization/subjects/me": lambda calls: calls.authorization.get_authorization_subjects_me().grants,
    "POST /oauth/token": lambda calls: calls.simulator.client().access_token,
}
# Services of other dialects (docs/seed-systems.md) are no endpoints of the vendor's.
OF_NO_VENDOR = {"query in a dialect"}


def test_everything_that_is_served_is_read_by_the_sdk(simulator):
    served = set(simulator.raw("GET", "/_sim/routes"))
    assert OF_NO_VENDOR < served, served
    without_call, of_nothing = served - OF_NO_VENDOR - set(ROUTES), set(ROUTES) - served
    assert not without_call and not of_nothing, f"served without a call in ROUTES: {without_call}; a call of nothing: {of_nothing}"
    calls, wrong = Calls(simulator), []
    for route, call in ROUTES.items():
        ANSWERED.discard(without_names(route))
        try:
            if not call(calls):
                wrong.append(f"{route}: empty")
            elif without_names(route) not in ANSWERED:
                wrong.append(f"{route}: the call asks something else")
        except Exception as error:  # noqa: BLE001 - one line must not hide the others
            wrong.append(f"{route}: {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong)


def test_the_models_that_are_kept_are_those_of_the_sdk(_simulator):
    spec = importlib.util.spec_from_file_location("extract", DATA / "swagger" / "extract.py")
    extract = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extract)
    gone = extract.not_in_sdk(json.loads((DATA / "swagger" / "genesys_analytics_swagger_subset.json").read_text()))
    assert not gone, "\n".join(gone)
    assert extract.KEPT.read_text() == extract.extract(), "tests/simulator/vendor_sdk/run --extract writes them anew"


DATA = pathlib.Path(__file__).parent.parent.parent / "data"
SAMPLES = {
    "conversation_aggregates_request": "ConversationAggregationQuery",
    "conversation_aggregates_response": "ConversationAggregateQueryResponse",
    "conversation_job_record": "AnalyticsConversation",
    "conversation_open_record": "AnalyticsConversationWithoutAttributes",
    "conversation_sync_record": "AnalyticsConversationWithoutAttributes",
    "details_job_202": "AsyncQueryResponse",
    "details_job_availability": "DataAvailabilityResponse",
    "details_job_request": "AsyncConversationQuery",
    "details_job_results_last_page": "AnalyticsConversationAsyncQueryResponse",
    "details_job_results_page": "AnalyticsConversationAsyncQueryResponse",
    "details_job_status_done_200": "AsyncQueryStatus",
    "details_job_status_running_202": "AsyncQueryStatus",
    "details_query_request": "ConversationQuery",
    "details_query_response": "AnalyticsConversationQueryResponse",
    "details_query_response_past_last_page": "AnalyticsConversationQueryResponse",
    "queue_observations_response": "QueueObservationQueryResponse",
    "user_aggregates_response": "UserAggregateQueryResponse",
    "user_details_query_response": "AnalyticsUserDetailsQueryResponse",
}


def test_the_samples_fit_the_models(_simulator):
    files = sorted((DATA / "samples").glob("*.json"))
    assert len(files) == 28
    for file in files:
        value = json.loads(file.read_text())
        if file.stem.startswith("oauth"):
            assert set(value) <= {"access_token", "token_type", "expires_in", "error", "description", "error_description"}, file
        else:
            expect_model(value, "ErrorBody" if file.stem.startswith("error_") else SAMPLES[file.stem])


def main():
    tests = [(name, test) for name, test in sorted(globals().items()) if name.startswith("test_")]
    passed, failed = 0, 0
    with Simulator(sys.argv[1]) as simulator:
        for name, test in tests:
            try:
                test(simulator)
            except Exception:  # noqa: BLE001 - one failing test must not hide the others
                failed += 1
                print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
            else:
                passed += 1
                print(f"ok     {name}", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
