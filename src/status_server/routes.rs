//! Answers by path.

use super::request::Request;
use super::response::{Form, Response, Status};
use super::{metrics, page, process, status, topology};
use crate::controller::{Condition, ControllerStatus};
use std::time::SystemTime;

/// Path of the health check, which is answered even while other answers have to wait.
pub(super) const HEALTH: &str = "/healthz";

/// The answer to a request.
pub(super) fn answer(request: &Request, status: &ControllerStatus, now: SystemTime) -> Response {
    match request.path.as_str() {
        "/" => {
            let view = page::View { all: request.asks("all"), paused: request.asks("paused") };
            page_response(page::page(status, view, now))
        }
        "/metrics" => Response::document(
            Form::Metrics,
            None,
            metrics::metrics(status, &process::Process::read()),
        ),
        "/status.json" => Response::document(Form::Json, None, status::status(status, now)),
        "/topology.svg" => svg(topology::picture(status), Some(topology::STYLE)),
        // the second is what browsers ask for beside a picture
        "/favicon.svg" | "/favicon.ico" => svg(topology::favicon(worst(status)), None),
        HEALTH => health(status),
        _ => page_response(page::not_found()).with_status(Status::NotFound),
    }
}

fn page_response(html: String) -> Response {
    Response::document(Form::Html, Some(page::STYLE), html)
}

fn svg(picture: String, style: Option<&'static str>) -> Response {
    Response::document(Form::Svg, style, picture)
}

/// Health for a supervisor that restarts: one lost host is no reason to, all of them are, and so is
/// a loop that hangs.
fn health(status: &ControllerStatus) -> Response {
    if status.hosts.values().any(|host| host.hangs) {
        return Response::text(Status::Unavailable, "the control loop of a host hangs\n");
    }
    if !status.hosts.is_empty() && status.hosts.values().all(|host| host.lost.is_some()) {
        return Response::text(Status::Unavailable, "no host can be reached\n");
    }
    Response::text(Status::Ok, "ok\n")
}

/// The worst condition of all; a host that is lost counts as failing.
fn worst(status: &ControllerStatus) -> Condition {
    let hosts = status.hosts.values();
    let conditions = hosts.map(|host| match host.lost {
        Some(_) => Condition::Failing,
        None => host.objects.values().map(|o| o.condition).max().unwrap_or(Condition::InSync),
    });
    conditions.max().unwrap_or(Condition::InSync)
}
