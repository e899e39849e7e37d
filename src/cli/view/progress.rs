//! Progress of an apply: one line on a terminal, or JSON lines.

use super::json;
use crate::cli::context::Context;
use crate::cli::options::Format;
use crate::cli::output::{ANEW, Output};
use crate::reconcile::{Event, Status};
use std::time::{Duration, Instant};

/// Shortest interval between two drawings of the line.
const REDRAW: Duration = Duration::from_millis(80);

/// A view of a running apply.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    context: &'a Context,
    output: Output,
    steps: usize,
    finished: usize,
    begun: Instant,
    drawn: Option<Instant>,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(context: &'a Context, steps: usize) -> Self {
        let output = context.output;
        Self { context, output, steps, finished: 0, begun: Instant::now(), drawn: None }
    }

    /// Records an event.
    pub(crate) fn event(&mut self, event: Event<'_>) {
        let (step, status) = match event {
            Event::Started(step) => (step, None),
            Event::Finished(step, status) => (step, Some(status)),
        };
        self.finished += usize::from(status.is_some());
        tracing::debug!(target = %step.target.id, op = step.action.as_str(), ?status, "step");
        if self.output.format == Format::Json {
            // a reader that went away does not stop the apply
            let _ = self.output.result(&self.context.line(json::event(step, status)));
        }
        let worth_it = self.drawn.is_none_or(|t| t.elapsed() >= REDRAW)
            || matches!(status, Some(s) if *s != Status::Done);
        if self.output.progress && worth_it {
            self.drawn = Some(Instant::now());
            let seconds = self.begun.elapsed().as_secs();
            let line = format!(
                "{ANEW}{}/{}  {seconds} s  {} {}",
                self.finished,
                self.steps,
                step.action.as_str(),
                step.target.id
            );
            self.output.say(&line);
        }
    }

    /// Removes the line.
    pub(crate) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            self.output.say(ANEW);
        }
    }
}
