//! Printing thread: a slow reader of the output delays nothing else.

use super::output::OutputChunk;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Limit on queued bytes.
const WAITING_MAX: usize = 1024 * 1024;

/// Time to wait for room in the queue. After that, output is lost until there is room again: hosts
/// are kept in sync all the same.
const PATIENCE: Duration = Duration::from_millis(500);

/// Queue of output, in its order.
#[derive(Debug, Default)]
pub(crate) struct Printer {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<OutputChunk>,
    /// Bytes in the queue.
    bytes: usize,
    /// Whether a chunk is being printed.
    printing: bool,
    /// Whether there was no room for [`PATIENCE`], and has been none since.
    is_stuck: bool,
    /// Number of chunks that were lost and not yet reported.
    lost: u64,
}

impl Printer {
    /// Starts a thread that prints each chunk with `print`.
    pub(crate) fn start(print: impl FnMut(OutputChunk) + Send + 'static) -> Arc<Self> {
        let printer = Arc::new(Self::default());
        let of_thread = Arc::clone(&printer);
        std::thread::spawn(move || of_thread.work(print));
        printer
    }

    /// Queues a chunk.
    pub(crate) fn print(&self, piece: OutputChunk) {
        let length = piece.text().len();
        let no_room =
            |queue: &Queue| !queue.pieces.is_empty() && queue.bytes + length > WAITING_MAX;
        let mut queue = self.queue();
        if !queue.is_stuck {
            let wait = |queue: &mut Queue| no_room(queue) && !queue.is_stuck;
            let waited = self.changed.wait_timeout_while(queue, PATIENCE, wait);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if no_room(&queue) {
            queue.is_stuck = true;
            queue.lost += 1;
            return;
        }
        queue.bytes += length;
        queue.pieces.push_back(piece);
        drop(queue);
        self.changed.notify_all();
    }

    /// Waits until the queue is empty, at most for `most`.
    pub(crate) fn finish(&self, most: Duration) {
        let some_left = |queue: &mut Queue| queue.printing || !queue.pieces.is_empty();
        // who does not read has had the time
        let _ = self.changed.wait_timeout_while(self.queue(), most, some_left);
    }

    fn work(&self, mut print: impl FnMut(OutputChunk)) {
        loop {
            let mut queue = self.queue();
            queue.printing = false;
            self.changed.notify_all();
            let empty = |queue: &mut Queue| queue.pieces.is_empty() && queue.lost == 0;
            let waited = self.changed.wait_while(queue, empty);
            queue = waited.unwrap_or_else(PoisonError::into_inner);
            let piece = queue.pieces.pop_front();
            // what was lost came after all that waited
            let piece = piece.unwrap_or_else(|| {
                let lost = std::mem::take(&mut queue.lost);
                OutputChunk::Said(format!(
                    "warning: {lost} messages were lost, since nobody read them\n"
                ))
            });
            queue.bytes = queue.bytes.saturating_sub(piece.text().len());
            queue.printing = true;
            drop(queue);
            print(piece);
            self.queue().is_stuck = false;
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // each change is whole
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::sync::mpsc::{channel, sync_channel};
    use std::time::Instant;

    fn result(text: &str) -> OutputChunk {
        OutputChunk::Result(text.to_owned())
    }

    #[test]
    fn all_is_printed_in_its_order_before_the_end() {
        let (sender, printed) = channel();
        let printer = Printer::start(move |piece| {
            std::thread::sleep(Duration::from_millis(1));
            sender.send(piece.text().to_owned()).unwrap();
        });
        (0..100).for_each(|number| printer.print(result(&number.to_string())));
        printer.finish(Duration::from_secs(10));
        let printed: Vec<String> = printed.try_iter().collect();
        assert_eq!(printed, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn with_nobody_to_read_it_is_waited_for_once_and_told_later() {
        let (sender, printed) = sync_channel::<String>(0);
        let printer = Printer::start(move |piece| {
            // the test may be over
            let _ = sender.send(piece.text().to_owned());
        });
        let long = "x".repeat(WAITING_MAX / 8);
        let begun = Instant::now();
        (0..20).for_each(|_| printer.print(result(&long)));
        printer.finish(PATIENCE);
        let took = begun.elapsed();
        assert!((PATIENCE * 2..PATIENCE * 4).contains(&took), "{took:?}");
        let mut got = Vec::new();
        while let Ok(text) = printed.recv_timeout(Duration::from_secs(5)) {
            got.push(text);
            if got.last().unwrap().contains("lost") {
                break;
            }
        }
        let whole = got.iter().filter(|text| **text == long).count();
        assert!((8..=9).contains(&whole), "{whole}");
        let lost = format!("warning: {} messages were lost, since nobody read them\n", 20 - whole);
        assert_eq!(*got.last().unwrap(), lost);
    }
}
