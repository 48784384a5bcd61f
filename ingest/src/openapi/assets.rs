//! `/assets`. Contents come and go by URLs that the answers give, which this document does not describe: elsewhere they
//! are a bucket's.

use event::domain::asset::{FILE_NAME_MAX, FILE_NAME_PATTERN, LENGTH_MAX, Status, UNANNOUNCED_MAX};
use event::domain::media_type;
use event::domain::user::{ID_MAX, ID_PATTERN};
use serde_json::{Value, json};

use super::entity::{Kind, seconds, version};
use super::operation::{Operation, Reply};
use super::schema;
use crate::assets::GRANT_SECONDS;

const ID: &str = "01a1fda7-ce54-734d-a367-46af3dae0954";

const ASSET: Kind = Kind {
    tag: "Assets",
    one: "asset",
    schema: "Asset",
    id: || json!({"name": "id", "in": "path", "required": true, "description": "The `assetId`.", "schema": id(), "example": ID}),
    example: || {
        json!({
            "assetId": ID, "fileName": "report.pdf", "contentType": "application/pdf", "contentLength": 52_000,
            "status": "pending", "key": format!("assets/default/{ID}/{ID}"),
            "created_at": 1_795_256_995, "updated_at": 1_795_256_995, "expires_at": 1_797_848_995, "version": 1,
        })
    },
};

fn id() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": ID_MAX, "pattern": ID_PATTERN,
        "description": "Chosen by the client, or else a UUID of the server's; never changed."})
}

pub(super) fn create() -> Operation {
    let leads_to = ["getAsset", "assetHistory", "downloadAsset", "deleteAsset"];
    let says = format!(
        "The content goes to `uploadUrl` by `PUT`, with `uploadHeaders`, within {} minutes; the same request again gives \
         another URL. A content whose length was not announced may have {} MiB. Other content under the same `assetId` is \
         409.",
        GRANT_SECONDS / 60,
        UNANNOUNCED_MAX >> 20,
    );
    let example = json!({"fileName": "report.pdf", "contentType": "application/pdf", "contentLength": 52_000});
    Operation::new("createAsset", ASSET.tag, "Announce an asset")
        .says(says)
        .needs(schema("NewAsset"), example)
        .replies(201, announced("It is announced.", &leads_to))
        .replies(200, announced("It is there already, just so.", &[]))
}

fn announced(description: &'static str, leads_to: &[&str]) -> Reply {
    ASSET.made(description, ID, leads_to).also(&[
        ("uploadUrl", json!({"type": "string", "description": "Where the content goes, as long as it is to come."})),
        (
            "uploadHeaders",
            json!({"type": "object", "additionalProperties": {"type": "string"},
            "description": "Headers that the upload must have."}),
        ),
        ("expiresIn", expires()),
    ])
}

fn expires() -> Value {
    json!({"type": "integer", "minimum": 0, "description": "Seconds for which the URL is good."})
}

pub(super) fn list() -> Operation {
    let status = json!({
        "name": "status", "in": "query", "description": "Only assets of this status.",
        "schema": {"type": "string", "enum": Status::WORDS},
    });
    ASSET.list("listAssets").takes(status)
}

pub(super) fn get() -> Operation {
    ASSET.get("getAsset")
}

pub(super) fn history() -> Operation {
    ASSET.history("assetHistory")
}

pub(super) fn download() -> Operation {
    let shape = json!({
        "type": "object",
        "required": ["downloadUrl", "expiresIn"],
        "properties": {"downloadUrl": {"type": "string", "description": "Where the content is."}, "expiresIn": expires()},
    });
    let example = json!({"downloadUrl": "…", "expiresIn": GRANT_SECONDS});
    Operation::new("downloadAsset", ASSET.tag, "Get a URL of an asset's content")
        .says("409 as long as the content is not there.")
        .takes((ASSET.id)())
        .replies(200, Reply::json("A URL.", shape, example))
        .refuses(&[404, 409])
}

pub(super) fn delete() -> Operation {
    ASSET.delete("deleteAsset")
}

pub(super) fn schemas() -> Value {
    let length = |description: &str| json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": LENGTH_MAX, "description": description});
    let file_name = || {
        json!({"type": "string", "minLength": 1, "maxLength": FILE_NAME_MAX, "pattern": FILE_NAME_PATTERN,
        "description": "What a download is called."})
    };
    let content_type = || {
        json!({"type": "string", "minLength": 3, "maxLength": media_type::MAX, "pattern": media_type::PATTERN,
        "description": "A media type."})
    };
    json!({
        "Asset": {
            "type": "object",
            "required": ["assetId", "fileName", "contentType", "status", "key", "created_at", "updated_at", "version"],
            "properties": {
                "assetId": id(), "fileName": file_name(), "contentType": content_type(),
                "contentLength": length("Bytes, as announced."),
                "status": {"type": "string", "enum": Status::WORDS, "description": "Whether the content is there."},
                "size": length("Bytes, once they are there."),
                "checksum": {"type": "string", "description": "What tells the content from any other, once it is there."},
                "key": {"type": "string", "description": "Where the content lies."},
                "created_at": seconds("When it was announced, for the last time"),
                "updated_at": seconds("When it was last changed"),
                "expires_at": seconds("When it ends; absent if it does not"),
                "version": version(),
            },
        },
        "AssetPage": super::page("Asset"),
        "NewAsset": {
            "type": "object",
            "required": ["fileName", "contentType"],
            "properties": {
                "assetId": id(), "fileName": file_name(), "contentType": content_type(),
                "contentLength": length("Bytes; with it, only a content of this length is taken."),
            },
            "additionalProperties": false,
        },
    })
}
