//! A client that sends what it is told, once: no retry, no redirect, no pool behind the test's back.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// No answer may take longer.
const LIMIT: Duration = Duration::from_secs(20);

/// A client with one connection, which is kept open between requests.
#[derive(Debug)]
pub struct Http {
    address: SocketAddr,
    headers: Vec<(String, String)>,
    connection: Option<BufReader<TcpStream>>,
}

/// What is sent.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Nobody was there: the request was not sent.
    NotSent,
    /// The connection ended before the answer: it may have been carried out.
    Unknown,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), ..Self::default() }
    }

    /// With a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body of JSON.
    pub fn json(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(body.into()), ..self.header("content-type", "application/json") }
    }

    fn bytes(&self, host: SocketAddr, more: &[(String, String)]) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", self.method, self.path);
        for (name, value) in self.headers.iter().chain(more) {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = &self.body {
            head += &format!("content-length: {}\r\n", body.len());
        }
        [head.as_bytes(), b"\r\n", self.body.as_deref().unwrap_or_default()].concat()
    }
}

impl Reply {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The id of the request's event.
    #[track_caller]
    pub fn event_id(&self) -> String {
        self.header("daybook-event-id").expect("every answer names its event").to_owned()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// The reply, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

impl Http {
    /// A client of a server.
    pub fn to(address: SocketAddr) -> Self {
        Self { address, headers: Vec::new(), connection: None }
    }

    /// Sends this header with every request.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends one request and waits for its answer.
    ///
    /// # Errors
    /// [`Lost`], never more than once a request.
    pub fn send(&mut self, request: &Request) -> Result<Reply, Lost> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(self.address).map_err(|_| Lost::NotSent)?,
        };
        let bytes = request.bytes(self.address, &self.headers);
        let reply = connection
            .get_mut()
            .write_all(&bytes)
            .and_then(|()| read_reply(&mut connection, request.method == "HEAD"))
            .map_err(|_| Lost::Unknown)?;
        if reply.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(reply)
    }

    /// GET that must be answered.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Reply {
        self.send(&Request::new("GET", path)).expect("an answer")
    }

    /// POST that must be answered.
    #[track_caller]
    pub fn post(&mut self, path: &str, json: &str) -> Reply {
        self.send(&Request::new("POST", path).json(json)).expect("an answer")
    }

    /// PUT that must be answered.
    #[track_caller]
    pub fn put(&mut self, path: &str, json: &str) -> Reply {
        self.send(&Request::new("PUT", path).json(json)).expect("an answer")
    }

    /// DELETE that must be answered.
    #[track_caller]
    pub fn delete(&mut self, path: &str) -> Reply {
        self.send(&Request::new("DELETE", path)).expect("an answer")
    }
}

fn connect(address: SocketAddr) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(BufReader::new(stream))
}

fn read_reply(from: &mut BufReader<TcpStream>, head_only: bool) -> std::io::Result<Reply> {
    let broken = |what: &str| Error::new(ErrorKind::InvalidData, what.to_owned());
    let status = read_line(from)?.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status: u16 = status.ok_or_else(|| broken("no status"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(from)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let length: usize = if head_only || matches!(status, 204 | 304) { 0 } else { length.unwrap_or(0) };
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Reply { status, headers, body })
}

fn read_line(from: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    match from.read_line(&mut line)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}
