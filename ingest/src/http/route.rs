//! Which route a request is for: the path as received, matched segment by segment.

use std::sync::OnceLock;

use event::EventId;
use percent_encoding::percent_decode_str;

use super::auth::Scope;
use super::problem::Problem;

macro_rules! routes {
    ($( $(#[$doc:meta])* $name:ident = $method:literal $template:literal; )+) => {
        /// A route of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Route { $( $(#[$doc])* $name, )+ }

        impl Route {
            /// Every route.
            pub const ALL: &'static [Self] = &[$( Self::$name, )+];

            /// Method, and template as it stands in the column `route`.
            pub const fn parts(self) -> (&'static str, &'static str) {
                match self { $( Self::$name => ($method, $template), )+ }
            }
        }
    };
}

routes! {
    /// Submit something.
    SubmitData = "POST" "/data";
    /// A user's submissions.
    ListData = "GET" "/data";
    /// One submission.
    GetData = "GET" "/data/{id}";
    /// Make a task.
    CreateTask = "POST" "/tasks";
    /// Tasks, newest first.
    ListTasks = "GET" "/tasks";
    /// One task, now or as it was.
    GetTask = "GET" "/tasks/{id}";
    /// What happened to a task.
    TaskHistory = "GET" "/tasks/{id}/history";
    /// Change a task.
    UpdateTask = "PUT" "/tasks/{id}";
    /// Remove a task.
    DeleteTask = "DELETE" "/tasks/{id}";
    /// Make a user.
    CreateUser = "POST" "/users";
    /// Users, newest first.
    ListUsers = "GET" "/users";
    /// One user, now or as it was.
    GetUser = "GET" "/users/{id}";
    /// What happened to a user.
    UserHistory = "GET" "/users/{id}/history";
    /// Change a user.
    UpdateUser = "PUT" "/users/{id}";
    /// Remove a user.
    DeleteUser = "DELETE" "/users/{id}";
    /// Announce an asset.
    CreateAsset = "POST" "/assets";
    /// Assets, newest first.
    ListAssets = "GET" "/assets";
    /// One asset, now or as it was.
    GetAsset = "GET" "/assets/{id}";
    /// What happened to an asset.
    AssetHistory = "GET" "/assets/{id}/history";
    /// A URL of an asset's content.
    DownloadAsset = "GET" "/assets/{id}/download";
    /// Remove an asset.
    DeleteAsset = "DELETE" "/assets/{id}";
    /// Upload a content, by a URL that says so.
    UploadContent = "PUT" "/assets/{id}/content";
    /// Download a content, by a URL that says so.
    ReadContent = "GET" "/assets/{id}/content";
    /// Values that a seed decides.
    Random = "GET" "/random";
    /// The questions that can be asked.
    ListQueries = "GET" "/queries";
    /// Ask one.
    RunQuery = "GET" "/queries/{name}";
    /// Whether the service is there.
    Health = "GET" "/health";
    /// What this API is, for programs.
    OpenApi = "GET" "/openapi.json";
    /// The same, for people.
    Docs = "GET" "/docs";
}

impl Route {
    /// The template, as it stands in the column `route`.
    pub const fn template(self) -> &'static str {
        self.parts().1
    }

    /// Whether anybody may use it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Health | Self::OpenApi | Self::Docs) || self.is_local()
    }

    /// Whether only one machine has it, for who has a signed URL: on AWS the URL is the bucket's.
    pub const fn is_local(self) -> bool {
        matches!(self, Self::UploadContent | Self::ReadContent)
    }

    /// What a credential must allow for it; none where anybody may use it.
    pub fn scope(self) -> Option<Scope> {
        match self {
            _ if self.is_open() => None,
            // They read what everybody of the tenant sent: bodies, addresses, refusals.
            Self::ListQueries | Self::RunQuery => Some(Scope::Admin),
            _ if self.changes() => Some(Scope::Write),
            _ => Some(Scope::Read),
        }
    }

    /// Whether it may change something, at the word of who sends it.
    pub fn changes(self) -> bool {
        matches!(self.parts().0, "POST" | "PUT" | "DELETE") && !self.is_local()
    }

    /// Whether its body must be JSON.
    pub fn takes_json(self) -> bool {
        matches!(self.parts().0, "POST" | "PUT") && !self.is_local()
    }
}

/// What a path means, whatever the method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The template that matched.
    pub template: &'static str,
    /// The route, unless the path has none for the method.
    pub route: Option<Route>,
    /// The path's one parameter, decoded; empty if it has none, or if it does not decode to UTF-8.
    pub parameter: String,
}

impl Matched {
    /// Methods that the path has, for `Allow`.
    pub fn allow(&self) -> String {
        let mut allow = vec!["OPTIONS"];
        for route in at(self.template) {
            allow.push(route.parts().0);
            if route.parts().0 == "GET" {
                allow.push("HEAD");
            }
        }
        allow.sort_unstable();
        allow.join(", ")
    }
}

/// The routes of a template.
fn at(template: &str) -> impl Iterator<Item = Route> {
    Route::ALL.iter().copied().filter(move |route| route.template() == template)
}

/// Finds the route of a path as received. `HEAD` is `GET` without a body.
///
/// # Errors
/// 404: no route has such a path.
pub fn find(method: &str, path: &str, base_path: &str) -> Result<Matched, Problem> {
    let unknown = || Problem::not_found("There is nothing at this path.");
    let path = path.strip_prefix(base_path.trim_end_matches('/')).ok_or_else(unknown)?;
    let found = table().at(path).map_err(|_| unknown())?;
    let template = *found.value;
    let parameter = found.params.iter().next().map_or("", |(_, value)| value);
    let parameter = percent_decode_str(parameter).decode_utf8().map(String::from).unwrap_or_default();
    let method = if method == "HEAD" { "GET" } else { method };
    let route = at(template).find(|route| route.parts().0 == method);
    Ok(Matched { template, route, parameter })
}

fn table() -> &'static matchit::Router<&'static str> {
    static TABLE: OnceLock<matchit::Router<&'static str>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = matchit::Router::new();
        for route in Route::ALL {
            // A template that stands for several methods is there already; any other fault is caught by the test below.
            let _ = table.insert(route.template(), route.template());
        }
        table
    })
}

/// What [`uuid`] takes.
pub const UUID_PATTERN: &str = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";

/// Reads an id that must be a UUID. One that is not names nothing that exists.
///
/// # Errors
/// 404, as for any id that is not there.
pub fn uuid(text: &str, what: &str) -> Result<String, Problem> {
    let id: Result<EventId, _> = text.to_ascii_lowercase().parse();
    id.map(|id| id.to_string()).map_err(|_| Problem::not_found(format!("{what} not found")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, path: &str, expect: Option<(Route, &str)>) {
        let found = find(method, path, "").ok().and_then(|matched| Some((matched.route?, matched.parameter)));
        assert_eq!(found, expect.map(|(route, parameter)| (route, parameter.to_owned())), "{method} {path}");
    }

    #[test]
    fn every_route_is_found() {
        for route in Route::ALL {
            let (method, template) = route.parts();
            let path = template.replace("{id}", "x").replace("{name}", "x");
            assert_eq!(find(method, &path, "").unwrap().route, Some(*route), "{method} {path}");
        }
    }

    /// Terraform makes the gateway's paths from this file: what is open there is open here.
    #[test]
    fn terraform_knows_every_route() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../terraform/generated/routes.json");
        let line = |route: &Route| {
            let (method, path) = route.parts();
            format!(r#"  {{"method":"{method}","path":"{path}","open":{}}}"#, route.is_open())
        };
        let gateway: Vec<&Route> = Route::ALL.iter().filter(|route| !route.is_local()).collect();
        let found = format!("[\n{}\n]\n", gateway.iter().copied().map(line).collect::<Vec<_>>().join(",\n"));
        #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &found).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), found, "{path}: UPDATE_GOLDEN=1 writes it anew");
        let one_step = |route: &&Route| !route.is_open() || route.template().matches('/').count() == 1;
        assert!(gateway.iter().all(one_step), "the gateway opens paths of one step");
    }

    proptest::proptest! {
        #[test]
        fn the_pattern_is_what_the_reader_does(
            text in "[{]?(urn:uuid:)?[0-9a-fA-F]{8}-?[0-9a-fA-Fg]{4}-[0-9a-f]{4}-[0-9A-F]{4}-[0-9a-f]{11,12}-?[}]?"
        ) {
            let pattern = regex::Regex::new(UUID_PATTERN).unwrap();
            proptest::prop_assert_eq!(pattern.is_match(&text), uuid(&text, "").is_ok());
        }
    }

    #[test]
    fn paths_are_matched_as_received() {
        check("GET", "/tasks/a%2Fb", Some((Route::GetTask, "a/b")));
        check("HEAD", "/tasks/x", Some((Route::GetTask, "x")));
        check("GET", "/tasks/%ff", Some((Route::GetTask, "")));
        check("GET", "/tasks/%2e%2e/history", Some((Route::TaskHistory, "..")));
        check("GET", "/tasks/", None);
        check("GET", "//tasks", None);
        check("GET", "/TASKS", None);
        check("GET", "", None);
        check("GET", "*", None);
        check("PATCH", "/tasks/x", None);
    }

    #[test]
    fn says_what_is_allowed() {
        assert_eq!(find("PATCH", "/tasks/x", "").unwrap().allow(), "DELETE, GET, HEAD, OPTIONS, PUT");
        assert_eq!(find("GET", "/tasks", "").unwrap().allow(), "GET, HEAD, OPTIONS, POST");
    }

    #[test]
    fn a_base_path_comes_before_every_route() {
        assert_eq!(find("GET", "/v1/health", "/v1").unwrap().route, Some(Route::Health));
        assert_eq!(find("GET", "/v1/health", "/v1/").unwrap().route, Some(Route::Health));
        assert!(find("GET", "/health", "/v1").is_err());
        assert!(find("GET", "/v1health", "/v1").is_err());
    }
}
