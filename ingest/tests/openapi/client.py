"""Makes, reads, changes, lists and removes a task and a user through the client that is generated from the document.

    client.py URL KEY    in the folder that has the generated client
"""

import os
import sys

sys.path.insert(0, os.getcwd())

from client import AuthenticatedClient
from client.api.tasks import create_task, delete_task, get_task, list_tasks, task_history, update_task
from client.api.users import create_user, delete_user, get_user, list_users, update_user, user_history
from client.models import NewTask, NewTaskPriority, NewUser, TaskPatch, TaskPatchStatus, UserPatch

url, key = sys.argv[1:]
api = AuthenticatedClient(base_url=url, token=key, prefix="", auth_header_name="x-api-key")
events = []


def answered(status, response):
    """The parsed answer of a response that has its status, and is of the type that the document names for it."""
    assert response.status_code == status, (response.status_code, response.content)
    events.append(response.headers["Daybook-Event-Id"])
    assert response.parsed is not None or status == 304, response.content
    return response.parsed


def tasks():
    made = answered(201, create_task.sync_detailed(client=api, body=NewTask(task="Write", priority=NewTaskPriority.HIGH)))
    again = answered(200, get_task.sync_detailed(made.id, client=api))
    assert (again.task, again.priority.value, again.status.value, again.version) == ("Write", "high", "new", 1), again
    answered(304, get_task.sync_detailed(made.id, client=api, if_none_match='"1"'))
    patch = TaskPatch(status=TaskPatchStatus.COMPLETED)
    stale = answered(412, update_task.sync_detailed(made.id, client=api, body=patch, if_match='"7"'))
    assert stale.type_.endswith(":precondition-failed"), stale
    changed = answered(200, update_task.sync_detailed(made.id, client=api, body=patch, if_match='"1"'))
    assert (changed.task.status.value, changed.task.version) == ("completed", 2), changed
    assert answered(200, get_task.sync_detailed(made.id, client=api, version=1)) == again
    page = answered(200, list_tasks.sync_detailed(client=api, limit=1))
    assert (page.count, page.items[0]) == (1, changed.task), page
    answered(200, delete_task.sync_detailed(made.id, client=api, idempotency_key="client"))
    replayed = delete_task.sync_detailed(made.id, client=api, idempotency_key="client")
    answered(200, replayed)
    assert replayed.headers["Idempotency-Replayed"] == "true"
    gone = answered(404, get_task.sync_detailed(made.id, client=api))
    assert gone.message == "Task not found", gone
    history = answered(200, task_history.sync_detailed(made.id, client=api))
    assert [entry.operation.value for entry in history.items] == ["create", "update", "delete"], history


def users():
    new = NewUser(user_id="client", email="Client@Example.org", name="Client")
    made = answered(201, create_user.sync_detailed(client=api, body=new))
    assert answered(200, create_user.sync_detailed(client=api, body=new)).user == made.user
    same = NewUser(user_id="other", email="client@example.org", name="Other")
    other = answered(409, create_user.sync_detailed(client=api, body=same))
    assert other.errors[0].pointer == "/email", other
    assert answered(200, get_user.sync_detailed("client", client=api)).email == "client@example.org"
    changed = answered(200, update_user.sync_detailed("client", client=api, body=UserPatch(name="Another")))
    assert (changed.user.name, changed.user.version) == ("Another", 2), changed
    page = answered(200, list_users.sync_detailed(client=api, email="CLIENT@example.org"))
    assert page.items == [changed.user], page
    answered(200, delete_user.sync_detailed("client", client=api))
    answered(404, get_user.sync_detailed("client", client=api))
    assert answered(200, user_history.sync_detailed("client", client=api)).count == 3


tasks()
users()
with open(os.environ["DAYBOOK_EVENTS"], "a") as file:
    file.writelines(event + "\n" for event in events)
print(f"the generated client made {len(events)} requests")
