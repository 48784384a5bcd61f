//! `/data`: a submission is its request. It has no state but the event itself.

use super::{FieldError, Fields};

/// Type of the event that a submission makes.
pub const SUBMITTED: &str = "data.submitted";
/// The entity type of submissions.
pub const ENTITY: &str = "data";
/// The longest `user_id`, in characters.
pub const USER_ID_MAX: usize = 256;

/// Who a submission speaks for. Everything else of it is kept as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// `user_id` or `userId` of the body.
    pub user_id: String,
}

impl Submission {
    /// Reads a submission: a JSON object with a `user_id` and a `message`, whatever else it holds.
    ///
    /// # Errors
    /// Not a JSON object; `user_id` or `message` missing, empty or no string; a name that stands twice at the top.
    pub fn parse(body: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::parse(body).map_err(|error| vec![error])?;
        let name = if fields.has("user_id") { "user_id" } else { "userId" };
        let given = fields.has(name);
        let user_id = fields.text(name, USER_ID_MAX);
        if !given {
            fields.missing("user_id");
        }
        match fields.take("message") {
            None => fields.missing("message"),
            Some(serde_json::Value::String(_)) => {}
            Some(_) => fields.error(FieldError::field("message", "invalid_type", "message must be a string.")),
        }
        fields.finish_open()?;
        Ok(Self { user_id: user_id.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(body: &str, expect: &[(&str, &str)]) {
        let errors = Submission::parse(body).unwrap_err();
        let found: Vec<(&str, &str)> = errors.iter().map(|error| (error.pointer.as_str(), error.code)).collect();
        assert_eq!(found, expect, "{body}");
    }

    #[test]
    fn keeps_what_it_does_not_know() {
        let parsed = Submission::parse(r#"{"user_id":"1234","message":"New record submission","x":{"URL":1,"Url":2}}"#);
        assert_eq!(parsed, Ok(Submission { user_id: "1234".to_owned() }));
        assert!(Submission::parse(r#"{"userId":"1","message":""}"#).is_ok());
    }

    #[test]
    fn says_everything_that_is_wrong() {
        refused("{}", &[("/user_id", "missing"), ("/message", "missing")]);
        refused(r#"{"user_id":7,"message":null}"#, &[("/user_id", "invalid_type"), ("/message", "invalid_type")]);
        refused(r#"{"user_id":" ","message":"m"}"#, &[("/user_id", "invalid_value")]);
        refused(r#"{"user_id":"a","user_id":"b","message":"m"}"#, &[("/user_id", "duplicate")]);
        refused("[]", &[("", "invalid_type")]);
        refused("{", &[("", "malformed")]);
        refused("", &[("", "malformed")]);
    }
}
