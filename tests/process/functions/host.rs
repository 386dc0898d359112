//! The work of a Functions host with its handler (contract F): starts it, waits for it, invokes functions.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use futures::stream;
use reqwest::{Body, Client, Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Azure, PATIENCE, Process, eventually, program, rekeyd, variable};

/// A handler in a process of its own.
pub(super) struct Handler {
    pub(super) process: Process,
    pub(super) port: u16,
    pub(super) host: Host,
}

/// The half of a host that invokes functions.
#[derive(Clone)]
pub(super) struct Host {
    base: String,
    http: Client,
}

/// The answer to an invocation.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Value,
}

impl Handler {
    /// Starts `rekeyd run` with the configuration that the sandbox wrote, and returns once it answers.
    pub(super) async fn start(azure: &Azure, environment: &[(&str, &str)]) -> Self {
        let config = azure.file("rekeyd.toml");
        Self::start_as(azure, &["run", "--config", config.to_str().unwrap()], environment).await
    }

    /// Starts `rekeyd` with these arguments. Any answer to `GET /` will do: a host checks no more than that.
    pub(super) async fn start_as(azure: &Azure, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut handler = Self::spawn(azure, arguments, environment);
        eventually("the handler answers", PATIENCE, async || {
            if let Some(status) = handler.process.ended() {
                let printed = handler.process.printed();
                // Another program's outgoing connection may have the port.
                assert!(printed.contains("can't listen"), "the handler ended with {status}:\n{printed}");
                handler = Self::spawn(azure, arguments, environment);
            }
            handler.host.request(Method::GET, "/").send().await.ok()
        })
        .await;
        handler
    }

    fn spawn(azure: &Azure, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let port = free_port();
        let text = port.to_string();
        let mut command = match variable("REKEYD_PACKAGE") {
            Some(package) => program(&Path::new(&package).join("rekeyd")),
            None => rekeyd(),
        };
        command.args(arguments).envs(environment.iter().copied());
        command.env("FUNCTIONS_CUSTOMHANDLER_PORT", &text).env("FUNCTIONS_HTTPWORKER_PORT", &text);
        command.env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", Uuid::new_v4().to_string());
        let root = azure.file("");
        command.env("FUNCTIONS_APP_ROOT_PATH", &root);
        let process = Process::start(command, &root, &format!("handler-{port}"));
        let http = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { process, port, host: Host { base: format!("http://127.0.0.1:{port}"), http } }
    }
}

impl Host {
    /// Invokes `function` with the data of its trigger.
    pub(super) async fn invoke(&self, function: &str, data: Value) -> Answer {
        let metadata = json!({"sys": {"MethodName": function, "UtcNow": "2026-11-22T03:00:00.1234567Z",
            "RandGuid": Uuid::new_v4()}});
        self.post(function, json!({"Data": data, "Metadata": metadata}).to_string()).await
    }

    /// Invokes `function` with a body that may be anything.
    pub(super) async fn post(&self, function: &str, body: String) -> Answer {
        let request = self.request(Method::POST, &format!("/{function}")).body(chunked(&body));
        Answer::read(request.send().await.unwrap()).await
    }

    /// Forwards an HTTP request as a host does, and returns the answer, which goes back unchanged.
    pub(super) async fn forward(&self, path_and_query: &str, body: &str) -> (StatusCode, Value) {
        let request = self.request(Method::POST, path_and_query).body(chunked(body));
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
    }

    /// Reads a route that any process on this machine can reach.
    pub(super) async fn read(&self, path: &str, token: Option<&str>) -> (StatusCode, String) {
        let request = token.into_iter().fold(self.request(Method::GET, path), RequestBuilder::bearer_auth);
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// Returns the number of events with this outcome.
    pub(super) async fn events(&self, outcome: &str) -> u64 {
        self.count(&format!("rekeyd_events_total{{outcome=\"{outcome}\",path=\"functions\"}}")).await
    }

    /// Returns the value of a counter.
    pub(super) async fn count(&self, sample: &str) -> u64 {
        let (_, text) = self.read("/metrics", None).await;
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{sample} is missing in\n{text}")).parse().unwrap()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .header("X-Azure-Functions-InvocationId", Uuid::new_v4().to_string())
            .header("X-Azure-Functions-HostVersion", "4.1045.200.25556")
            .header(header::USER_AGENT, "Azure-Functions-Host/4.1045.200.25556")
            .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
    }
}

impl Answer {
    /// Asserts that the answer is an envelope, whatever the status:
    /// nothing, or `null`, leaves a host waiting until its time-out.
    async fn read(response: Response) -> Self {
        let status = response.status();
        let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        assert_eq!(kind.as_deref(), Some("application/json"), "{status}: {text}");
        let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}"));
        let is_envelope = body.pointer("/Outputs").is_some_and(Value::is_object)
            && body.pointer("/Logs").is_some_and(Value::is_array)
            && body.pointer("/ReturnValue").is_some();
        assert!(is_envelope, "{status}: {text}");
        Self { status, body }
    }

    /// Returns the lines for the host's log.
    pub(super) fn log(&self) -> String {
        let lines = self.body.pointer("/Logs").and_then(Value::as_array).unwrap();
        lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// Returns the value of an output binding.
    pub(super) fn output(&self, binding: &str) -> &Value {
        self.body.pointer(&format!("/Outputs/{binding}")).unwrap_or_else(|| panic!("{binding}: {self:?}"))
    }

    /// Returns the status that the caller of an HTTP trigger gets. It is text, because a host takes only that.
    pub(super) fn http_status(&self) -> &str {
        self.output("res").pointer("/statusCode").and_then(Value::as_str).unwrap()
    }
}

/// Returns a body without Content-Length, as hosts send it.
fn chunked(body: &str) -> Body {
    let (first, rest) = body.as_bytes().split_at(body.len() / 2);
    Body::wrap_stream(stream::iter([first, rest].map(|part| Ok::<_, io::Error>(part.to_vec()))))
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
