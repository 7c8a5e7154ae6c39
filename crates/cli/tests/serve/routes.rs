//! What each path gives, and how paths, methods, tokens and origins are told apart.

use serde_json::{Value, json};

use crate::http::request;
use crate::server::{CLASSES, Server};

#[test]
fn the_page_is_kept_by_browsers_until_the_model_changes() {
    let server = Server::start(&[]);
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    server.bench.ok(&["export", "--model", "digits.safetensors", "--format", "html", "-o", "page.html"]);
    assert!(page.text() == server.bench.read("page.html"), "another page than `export` writes");
    let policy = page.header("content-security-policy").unwrap();
    for directive in ["default-src 'none'", "script-src 'sha256-", "frame-ancestors 'none'"] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let tag = page.header("etag").unwrap();
    let again = server.ask("GET", "/", &[("If-None-Match", tag)], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(server.ask("GET", "/", &[("If-None-Match", "\"other\"")], b"").status, 200);
    let head = server.ask("HEAD", "/", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn health_and_metadata_are_those_of_the_protocol() {
    let server = Server::start(&[]);
    assert_eq!(server.get("/v2/health/live").json(), json!({ "live": true }));
    assert_eq!(server.get("/v2/health/ready").json(), json!({ "ready": true }));
    let whole = server.get("/v2").json();
    assert_eq!(whole["name"], "glyphnet");
    assert!(whole["extensions"].as_array().unwrap().contains(&json!("binary_tensor_data")));
    let model = json!({
        "name": "digits",
        "versions": ["1"],
        "platform": "glyphnet",
        "inputs": [{ "name": "images", "datatype": "UINT8", "shape": [-1, 8, 8, 1] }],
        "outputs": [{ "name": "probabilities", "datatype": "FP32", "shape": [-1, 3] }],
    });
    for path in ["/v2/models/digits", "/v2/models/digits/versions/1"] {
        assert_eq!(server.get(path).json(), model);
        assert_eq!(server.get(&format!("{path}/ready")).json(), json!({ "name": "digits", "ready": true }));
        assert_eq!(server.get(&format!("{path}/config")).json()["max_batch_size"], 256);
        assert_eq!(server.get(&format!("{path}/stats")).json()["model_stats"][0]["inference_count"], 0);
    }
}

#[test]
fn what_is_not_there_is_said_in_json() {
    let server = Server::start(&["--name", "other"]);
    for path in
        ["/nothing", "/v2/", "/v2/models/digits", "/v2/models/digits/ready", "/v2/models/other/versions/2/ready"]
    {
        let response = server.get(path);
        assert_eq!(response.status, 404, "{path}");
        assert!(response.json()["error"].is_string(), "{path}");
    }
    server.get("/v2/models/digits").refused(404, "this server has 'other'");
    server.post("/v2/models/other/versions/7/infer", "application/json", "{}").refused(404, "no version '7'");
    assert_eq!(server.get("/v2/models/other/versions/1").status, 200);
    for (method, path, allowed) in [
        ("GET", "/api/predict", "POST"),
        ("GET", "/v2/models/other/infer", "POST"),
        ("DELETE", "/v2/models/other", "GET,HEAD"),
        ("POST", "/metrics", "GET,HEAD"),
        ("BREW", "/", "GET,HEAD"),
    ] {
        let response = server.ask(method, path, &[], b"");
        response.refused(405, "method");
        assert_eq!(response.header("allow"), Some(allowed), "{method} {path}");
    }
}

#[test]
fn metrics_count_what_was_asked() {
    let server = Server::start(&[]);
    let body = json!({ "images": [vec![0; 64], vec![9; 64]] }).to_string();
    assert_eq!(server.post("/api/predict", "application/json", &body).status, 200);
    assert_eq!(server.get("/none/of/these").status, 404);
    let text = server.get("/metrics").text();
    for line in [
        "glyphnet_request_seconds_count{route=\"/api/predict\",status=\"200\"} 1",
        "glyphnet_request_seconds_bucket{route=\"/api/predict\",status=\"200\",le=\"+Inf\"} 1",
        "glyphnet_request_seconds_count{route=\"none\",status=\"404\"} 1",
        "glyphnet_batch_images_sum 2",
        "glyphnet_waiting_images 0",
        "glyphnet_active_requests 1",
        "glyphnet_reloads_total{result=\"ok\"} 0",
    ] {
        assert!(text.lines().any(|own| own == line), "'{line}' is not in:\n{text}");
    }
    assert!(text.contains("glyphnet_model_info{name=\"digits\",input=\"8 x 8 x 1\",classes=\"3\""), "{text}");
    assert_eq!(server.get("/v2/models/digits/stats").json()["model_stats"][0]["inference_count"], 2);
}

/// Every operation of the document is there, with its method and without any other.
#[test]
fn the_openapi_document_has_every_path() {
    let server = Server::start(&[]);
    let document = server.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["components"]["schemas"]["Class"]["enum"], json!(CLASSES));
    assert_eq!(document["components"]["schemas"]["Probabilities"]["maxItems"], 3);
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 17);
    for (path, operations) in paths {
        let place = path.replace("{name}", "digits").replace("{version}", "1");
        for method in ["get", "post"] {
            let status = server.ask(&method.to_uppercase(), &place, &[], b"").status;
            assert_eq!(status != 405, operations.get(method).is_some(), "{method} {path}: {status}");
            assert_ne!(status, 404, "{method} {path}");
        }
    }
    references(&document, &document);
}

/// Every reference leads somewhere.
fn references(document: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            if let Some(place) = fields.get("$ref").and_then(Value::as_str) {
                assert!(document.pointer(place.trim_start_matches('#')).is_some(), "{place}");
            }
            fields.values().for_each(|field| references(document, field));
        }
        Value::Array(items) => items.iter().for_each(|item| references(document, item)),
        _ => {}
    }
}

#[test]
fn requests_keep_their_names_and_are_logged_without_secrets() {
    let server = Server::with_token("very-secret\n", &["--log-format", "json"]);
    let headers = [("X-Request-Id", "mine-7"), ("Authorization", "Bearer very-secret")];
    let response = server.ask("GET", "/v2?token=very-secret", &headers, b"");
    assert_eq!(response.header("x-request-id"), Some("mine-7"));
    let line = server.line("mine-7");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["method"], &line["path"], &line["status"]), (&json!("GET"), &json!("/v2"), &json!(200)));
    assert_eq!(line["bytes"], response.body.len());
    assert!(line["milliseconds"].as_f64().unwrap() > 0.0);
    assert!(!line.to_string().contains("very-secret"));
    let refused = server.ask("GET", "/v2", &[("X-Request-Id", "a b")], b"");
    let own = refused.header("x-request-id").unwrap().to_owned();
    assert_ne!(own, "a b");
    let line: Value = serde_json::from_str(&server.line(&own)).unwrap();
    assert_eq!(line["status"], 401);
    assert!(line["error"].as_str().unwrap().contains("token"));
}

#[test]
fn a_token_is_asked_for_everything_but_health() {
    let server = Server::with_token("open-sesame\n", &[]);
    for path in ["/v2/health/live", "/v2/health/ready"] {
        assert_eq!(server.get(path).status, 200);
    }
    for path in ["/", "/v2", "/metrics", "/openapi.json", "/v2/models/digits", "/nothing"] {
        server.get(path).refused(401, "Authorization: Bearer");
        for wrong in ["Bearer open-sesam", "Bearer open-sesame2", "Bearer", "open-sesame", "Bearer OPEN-SESAME"] {
            server.ask("GET", path, &[("Authorization", wrong)], b"").refused(401, "token");
        }
    }
    server.post("/api/predict", "application/json", "{}").refused(401, "token");
    assert!(server.get("/v2").header("www-authenticate").unwrap().starts_with("Bearer"));
    assert!(server.get("/").header("www-authenticate").unwrap().starts_with("Basic"));
    assert_eq!(server.ask("GET", "/v2", &[("Authorization", "Bearer open-sesame")], b"").status, 200);
    // anybody:open-sesame
    let password = [("Authorization", "Basic YW55Ym9keTpvcGVuLXNlc2FtZQ==")];
    assert_eq!(server.ask("GET", "/", &password, b"").status, 200);
    // A refused client that goes on sending sees why.
    let long = vec![0; 4 << 20];
    server.ask("POST", "/api/predict", &[("Content-Type", "image/png")], &long).refused(401, "token");
}

#[test]
fn other_origins_are_let_in_if_asked_for() {
    let origin = ("Origin", "https://example.org");
    let preflight =
        [origin, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type")];
    let closed = Server::start(&[]);
    assert_eq!(closed.ask("GET", "/v2", &[origin], b"").header("access-control-allow-origin"), None);
    assert_eq!(closed.ask("OPTIONS", "/api/predict", &preflight, b"").header("access-control-allow-origin"), None);
    let open = Server::with_token("t\n", &["--cors", "https://example.org"]);
    // Browsers send no token with the question.
    let answer = open.ask("OPTIONS", "/api/predict", &preflight, b"");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://example.org"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("content-type"));
    let asked = open.ask("GET", "/v2", &[origin, ("Authorization", "Bearer t")], b"");
    assert_eq!(asked.header("access-control-allow-origin"), Some("https://example.org"));
    assert!(asked.header("access-control-expose-headers").unwrap().contains("inference-header-content-length"));
    let stranger = open.ask("GET", "/v2", &[("Origin", "https://example.com"), ("Authorization", "Bearer t")], b"");
    assert_eq!(stranger.header("access-control-allow-origin"), None);
}

#[test]
fn old_http_and_pipelines_are_understood() {
    let server = Server::start(&[]);
    let mut old = server.connect();
    old.write("GET /v2/health/live HTTP/1.0\r\n\r\n");
    assert_eq!(old.read().unwrap().status, 200);
    assert!(old.is_closed());
    let mut pipeline = server.connect();
    let body = json!({ "pixels": vec![7; 64] }).to_string();
    let json = [("Content-Type", "application/json")];
    let requests = [
        request("GET", "/v2", &[], b""),
        request("POST", "/api/predict", &json, body.as_bytes()),
        request("GET", "/nothing", &[], b""),
        request("POST", "/api/predict", &json, body.as_bytes()),
    ];
    pipeline.write(requests.concat());
    let answers: Vec<u16> = requests.iter().map(|_| pipeline.read().unwrap().status).collect();
    assert_eq!(answers, [200, 200, 404, 200]);
}
