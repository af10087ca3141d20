//! Spans reach a collector by OTLP, as part of the caller's trace, and each request has one line in the log.

use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes, BytesMut};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{Server, eventually};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

type Spans = Arc<Mutex<Vec<Span>>>;

/// A collector on a free port: gRPC's frames over HTTP/2, as far as an exporter needs them.
async fn collector() -> (String, Spans) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let spans = Spans::default();
    let kept = spans.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(collect(stream, kept.clone()));
        }
    });
    (url, spans)
}

async fn collect(stream: TcpStream, spans: Spans) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        assert_eq!(request.uri().path(), "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
        let spans = spans.clone();
        tokio::spawn(async move {
            let mut body = request.into_body();
            let mut bytes = BytesMut::new();
            while let Some(Ok(chunk)) = body.data().await {
                body.flow_control().release_capacity(chunk.len()).unwrap();
                bytes.extend_from_slice(&chunk);
            }
            bytes.advance(5); // compression flag and length
            let export = ExportTraceServiceRequest::decode(bytes).unwrap();
            let found = export.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans);
            spans.lock().unwrap().extend(found);
            let response = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut stream = respond.send_response(response, false).unwrap();
            stream.send_data(Bytes::from_static(&[0; 5]), false).unwrap();
            let status = http::HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
            stream.send_trailers(status).unwrap();
        });
    }
}

/// An id of a trace (16 bytes) or of a span (8) as `traceparent` writes it.
fn hex(id: &[u8]) -> String {
    match <[u8; 16]>::try_from(id) {
        Ok(trace) => format!("{:032x}", u128::from_be_bytes(trace)),
        Err(_) => format!("{:016x}", u64::from_be_bytes(id.try_into().unwrap_or_default())),
    }
}

#[tokio::test]
async fn a_request_is_followed_from_the_caller_to_the_index() {
    let (url, spans) = collector().await;
    let server =
        Server::start_with(&[("traces.otlp_endpoint", &url), ("traces.service_name", "trial"), ("log.format", "json")])
            .await;
    let api = server.owner();
    api.add_text("default", "a lighthouse").await;
    let search = api
        .request(Method::POST, "/v1/search")
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .header("x-request-id", "trace-test-1")
        .json(&json!({"inputs": [{"text": "a lighthouse"}]}));
    api.send(search).await.expect(200);
    let not_sampled =
        api.request(Method::GET, "/v1/models").header("traceparent", format!("00-{}-{CALLER}-00", "1".repeat(32)));
    api.send(not_sampled).await.expect(200);
    let traced = eventually("the spans have come", async || {
        let spans = spans.lock().unwrap();
        let traced: Vec<Span> = spans.iter().filter(|span| hex(&span.trace_id) == TRACE).cloned().collect();
        (traced.len() >= 3).then_some(traced)
    })
    .await;
    let named =
        |name: &str| traced.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {traced:?}"));
    let request = named("POST /v1/search");
    assert_eq!(hex(&request.parent_span_id), CALLER);
    for stage in ["encode", "query_index"] {
        assert_eq!(named(stage).parent_span_id, request.span_id, "{stage}");
    }
    let status = request.attributes.iter().find(|attribute| attribute.key == "http.response.status_code");
    assert!(format!("{status:?}").contains("IntValue(200)"), "{status:?}");
    eventually("the job has its own trace", async || {
        spans.lock().unwrap().iter().any(|span| span.name == "job" && span.parent_span_id.is_empty()).then_some(())
    })
    .await;
    assert!(!spans.lock().unwrap().iter().any(|span| hex(&span.trace_id) == "1".repeat(32)), "the caller wanted none");

    let log = server.log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let lines: Vec<&Value> = lines.iter().filter(|line| line["request_id"] == "trace-test-1").collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = lines[0];
    assert_eq!(
        (&line["message"], &line["route"], &line["method"], &line["status"], &line["tenant"], &line["trace_id"]),
        (&json!("request done"), &json!("/v1/search"), &json!("POST"), &json!(200), &json!("default"), &json!(TRACE))
    );
    assert!(line["ms"].as_f64().unwrap() > 0.0 && line["actor"].as_str().unwrap().starts_with("key_"), "{line}");
}

#[tokio::test]
async fn a_collector_that_is_away_harms_nothing() {
    let settings = [("traces.otlp_endpoint", "http://127.0.0.1:9"), ("traces.timeout_ms", "500")];
    let mut server = Server::start_with(&settings).await;
    let api = server.owner();
    api.add_text("default", "a lighthouse").await;
    assert_eq!(api.with_word("lighthouse").await.len(), 1);
    assert!(server.stop().await.success());
}
