//! What one route takes and answers, as OpenAPI has it.

use serde_json::{Map, Value, json};

use super::responses;
use crate::http::route::Route;

/// A route's description. What every route has in common is added by [`Self::into_json`].
pub(super) struct Operation {
    id: &'static str,
    tag: &'static str,
    summary: String,
    description: String,
    parameters: Vec<Value>,
    body: Option<Value>,
    replies: Vec<(u16, Reply)>,
    refusals: Vec<u16>,
}

/// An answer that is no problem.
pub(super) struct Reply {
    description: String,
    headers: Vec<&'static str>,
    content: Map<String, Value>,
    links: Map<String, Value>,
}

impl Operation {
    /// An operation with its id for programs, its chapter, and what it does in a few words.
    pub fn new(id: &'static str, tag: &'static str, summary: impl Into<String>) -> Self {
        Self {
            id,
            tag,
            summary: summary.into(),
            description: String::new(),
            parameters: Vec::new(),
            body: None,
            replies: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// What there is to know about it: paragraphs, `code` in backticks.
    pub fn says(self, description: impl Into<String>) -> Self {
        Self { description: description.into(), ..self }
    }

    /// A parameter: an object of OpenAPI's, or a reference to one.
    pub fn takes(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// The JSON body that it needs.
    pub fn needs(self, schema: Value, example: Value) -> Self {
        let body = json!({
            "required": true,
            "content": {"application/json": {"schema": schema, "example": example}},
        });
        Self { body: Some(body), ..self }
    }

    /// One of its answers.
    pub fn replies(mut self, status: u16, reply: Reply) -> Self {
        self.replies.push((status, reply));
        self
    }

    /// Statuses of problems that not every route answers with.
    pub fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend(statuses);
        self
    }

    /// The operation in full: with what the route's method and openness add to it.
    pub fn into_json(mut self, route: Route) -> Value {
        if route.changes() {
            self.parameters.push(super::parameter("IdempotencyKey"));
        }
        let mut responses: Map<String, Value> =
            self.replies.into_iter().map(|(status, reply)| (status.to_string(), reply.into_json())).collect();
        for status in responses::common(route).chain(self.refusals) {
            responses.insert(status.to_string(), responses::reference(status));
        }
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "responses": responses,
        });
        let mut set = |name: &str, value: Value| operation[name] = value;
        if !self.description.is_empty() {
            set("description", self.description.into());
        }
        if !self.parameters.is_empty() {
            set("parameters", self.parameters.into());
        }
        if let Some(body) = self.body {
            set("requestBody", body);
        }
        if route.is_open() {
            set("security", json!([]));
        }
        operation
    }
}

impl Reply {
    /// An answer in JSON.
    pub fn json(description: impl Into<String>, schema: Value, example: Value) -> Self {
        Self::empty(description).or("application/json", schema, example)
    }

    /// An answer without a body.
    pub fn empty(description: impl Into<String>) -> Self {
        let headers = responses::ALWAYS.to_vec();
        Self { description: description.into(), headers, content: Map::new(), links: Map::new() }
    }

    /// The same in another form.
    pub fn or(mut self, media_type: &str, schema: Value, example: Value) -> Self {
        self.content.insert(media_type.to_owned(), json!({"schema": schema, "example": example}));
        self
    }

    /// One of the headers of [`responses::headers`].
    pub fn with(mut self, header: &'static str) -> Self {
        self.headers.push(header);
        self
    }

    /// Fields that its JSON has besides.
    pub fn also(mut self, fields: &[(&str, Value)]) -> Self {
        for (name, schema) in fields {
            for content in self.content.values_mut() {
                content["schema"]["properties"][*name] = schema.clone();
            }
        }
        self
    }

    /// What can be done with the `id` in the answer's body.
    pub fn leads_to(mut self, operations: &[&str]) -> Self {
        for operation in operations {
            let link = json!({"operationId": operation, "parameters": {"id": "$response.body#/id"}});
            self.links.insert((*operation).to_owned(), link);
        }
        self
    }

    fn into_json(self) -> Value {
        let mut reply =
            json!({"description": self.description, "headers": responses::header_references(&self.headers)});
        if !self.content.is_empty() {
            reply["content"] = self.content.into();
        }
        if !self.links.is_empty() {
            reply["links"] = self.links.into();
        }
        reply
    }
}
