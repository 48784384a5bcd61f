//! `/users`.

use event::domain::email;
use event::domain::user::{ID_MAX, ID_PATTERN, NAME_MAX, NAME_PATTERN};
use serde_json::{Value, json};

use super::entity::{Kind, seconds, version};
use super::operation::Operation;
use super::schema;

const USER: Kind = Kind {
    tag: "Users",
    one: "user",
    schema: "User",
    id: || json!({"name": "id", "in": "path", "required": true, "description": "The `userId`.", "schema": id(), "example": "ann"}),
    example: || {
        json!({
            "userId": "ann", "email": "ann@example.org", "name": "Ann Lee",
            "created_at": 1_795_256_995, "updated_at": 1_795_256_995, "expires_at": 1_803_032_995, "version": 1,
        })
    },
};

fn id() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": ID_MAX, "pattern": ID_PATTERN, "description": "Chosen by the client, never changed."})
}

fn address() -> Value {
    json!({"type": "string", "maxLength": email::ADDRESS_MAX, "pattern": email::PATTERN,
        "description": "Kept in lower case; no two users of a tenant have the same."})
}

pub(super) fn create() -> Operation {
    let leads_to = ["getUser", "userHistory", "updateUser", "deleteUser"];
    Operation::new("createUser", USER.tag, "Make a user")
        .says(
            "The same again is 200 with the user as it is; other content under the same `userId`, or an e-mail that \
             another user has, is 409. A user that was removed or has ended can be made again: its versions go on.",
        )
        .needs(schema("NewUser"), json!({"userId": "ann", "email": "Ann@Example.org", "name": "Ann Lee"}))
        .replies(201, USER.made("The user is made.", "ann", &leads_to))
        .replies(200, USER.made("The user is there already, just so.", "ann", &[]))
}

pub(super) fn list() -> Operation {
    let email = json!({
        "name": "email", "in": "query", "description": "Only the user with this address, in whatever case it is written.",
        "schema": address(), "example": "ann@example.org",
    });
    USER.list("listUsers").takes(email)
}

pub(super) fn get() -> Operation {
    USER.get("getUser")
}

pub(super) fn history() -> Operation {
    USER.history("userHistory")
}

pub(super) fn update() -> Operation {
    USER.update("updateUser", "UserPatch", json!({"name": "Ann Lee-Smith"}))
}

pub(super) fn delete() -> Operation {
    USER.delete("deleteUser")
}

pub(super) fn schemas() -> Value {
    let name = || json!({"type": "string", "minLength": 1, "maxLength": NAME_MAX, "pattern": NAME_PATTERN});
    json!({
        "User": {
            "type": "object",
            "required": ["userId", "email", "name", "created_at", "updated_at", "version"],
            "properties": {
                "userId": id(), "email": {"type": "string", "description": "In lower case."}, "name": name(),
                "created_at": seconds("When it was made, for the last time"),
                "updated_at": seconds("When it was last changed"),
                "expires_at": seconds("When it ends unless it is changed before; absent if it does not"),
                "version": version(),
            },
        },
        "UserPage": super::page("User"),
        "NewUser": {
            "type": "object",
            "required": ["userId", "email", "name"],
            "properties": {"userId": id(), "email": address(), "name": name()},
            "additionalProperties": false,
        },
        "UserPatch": {
            "type": "object",
            "minProperties": 1,
            "properties": {"email": address(), "name": name()},
            "additionalProperties": false,
        },
    })
}
