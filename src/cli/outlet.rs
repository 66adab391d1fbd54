//! Lines to a stream that may be slow, stuck or gone, without anybody waiting for it: a bounded
//! queue and one thread that writes. What does not fit is left out, counted, and told in a line at
//! most once a second. What the lines say is left to the printer and to the log.

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Lines that may wait to be written.
const QUEUE: usize = 1_024;

/// About so many bytes are written in one go when more than one line waits.
const BATCH_BYTES: usize = 64 << 10;

/// How often the count of what was left out is told at most.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Puts the count of what was left out into a line, with its line feed.
pub(super) type Tell = fn(u64) -> String;

/// The sending side; clones send to the same stream.
#[derive(Clone)]
pub(super) struct Outlet {
    queue: Sender<Item>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    left_out: AtomicU64,
    broken: AtomicBool,
}

enum Item {
    Line(Vec<u8>),
    /// Everything before it is written when its sender drops.
    Flush(Sender<()>),
}

impl Outlet {
    /// Starts the thread that writes to `stream`, which people call `name`. It ends when the last
    /// clone of the outlet is gone.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(super) fn start(
        name: &'static str,
        stream: impl Write + Send + 'static,
        tell: Tell,
    ) -> io::Result<Self> {
        let (queue, items) = bounded(QUEUE);
        let state = Arc::new(State::default());
        let writer = Writer {
            name,
            stream,
            tell,
            state: Arc::clone(&state),
        };
        let thread = std::thread::Builder::new().name(name.to_owned());
        thread.spawn(move || writer.run(&items))?;
        Ok(Self { queue, state })
    }

    /// Offers a line, with its line feed. Never waits.
    pub(super) fn offer(&self, line: Vec<u8>) {
        if !self.is_broken() && self.queue.try_send(Item::Line(line)).is_err() {
            self.leave_out();
        }
    }

    /// Counts a line that was not even offered.
    pub(super) fn leave_out(&self) {
        self.state.left_out.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether nobody can read the stream any more.
    pub(super) fn is_broken(&self) -> bool {
        self.state.broken.load(Ordering::Relaxed)
    }

    /// Waits until everything offered so far is written, at most for `patience`; whether it is.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let (done, wait) = bounded(0);
        let sent = self
            .queue
            .send_deadline(Item::Flush(done), deadline)
            .is_ok();
        // The writer says done by dropping its end.
        sent && wait.recv_deadline(deadline) == Err(RecvTimeoutError::Disconnected)
    }
}

struct Writer<W> {
    name: &'static str,
    stream: W,
    tell: Tell,
    state: Arc<State>,
}

impl<W: Write> Writer<W> {
    fn run(mut self, items: &Receiver<Item>) {
        // Something can be left out for up to a second after the last line that was let through,
        // so there is one more round after the last one that had something to write; then the
        // thread sleeps for as long as nothing comes.
        let mut tell_at = None;
        let mut wrote = false;
        loop {
            let item = match tell_at {
                None => items.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => items.recv_deadline(at),
            };
            match item {
                Ok(item) => {
                    self.batch(item, items);
                    wrote = true;
                    tell_at.get_or_insert_with(|| Instant::now() + TELL_EVERY);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.tell();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if tell_at.is_some_and(|at| Instant::now() >= at) {
                let told = self.tell();
                tell_at = (told || wrote).then(|| Instant::now() + TELL_EVERY);
                wrote = false;
            }
        }
    }

    /// Writes `item` and what waits behind it.
    fn batch(&mut self, item: Item, items: &Receiver<Item>) {
        let mut bytes = Vec::new();
        let mut lines = 0;
        let mut next = Some(item);
        while let Some(item) = next {
            match item {
                Item::Line(line) => {
                    lines += 1;
                    bytes.extend_from_slice(&line);
                }
                Item::Flush(_done) => {
                    self.write(&bytes, lines);
                    self.tell();
                    (bytes, lines) = (Vec::new(), 0);
                }
            }
            next = (bytes.len() < BATCH_BYTES)
                .then(|| items.try_recv().ok())
                .flatten();
        }
        self.write(&bytes, lines);
    }

    fn tell(&mut self) -> bool {
        let left_out = self.state.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            let line = (self.tell)(left_out);
            self.write(line.as_bytes(), left_out);
        }
        left_out > 0
    }

    fn write(&mut self, bytes: &[u8], lines: u64) {
        if bytes.is_empty() || self.state.broken.load(Ordering::Relaxed) {
            return;
        }
        match self
            .stream
            .write_all(bytes)
            .and_then(|()| self.stream.flush())
        {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.state.broken.store(true, Ordering::Relaxed);
                tracing::info!(
                    "nobody reads {} any more; nothing more is written there",
                    self.name
                );
            }
            // A full disk behind a redirection may have space again later.
            Err(_) => drop(self.state.left_out.fetch_add(lines, Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use parking_lot::Mutex;

    /// A stream in memory that lets through what its gate admits, or fails.
    #[derive(Clone)]
    pub(in crate::cli) struct Stream {
        pub(in crate::cli) written: Arc<Mutex<Vec<u8>>>,
        gate: Option<Receiver<Option<ErrorKind>>>,
    }

    impl Stream {
        /// A stream that takes everything.
        pub(in crate::cli) fn open() -> Self {
            Self {
                written: Arc::default(),
                gate: None,
            }
        }

        /// A stream each of whose writes waits for a word: to be taken, or to fail.
        fn gated() -> (Self, Sender<Option<ErrorKind>>) {
            let (words, gate) = bounded(0);
            let stream = Self {
                gate: Some(gate),
                ..Self::open()
            };
            (stream, words)
        }

        pub(in crate::cli) fn text(&self) -> String {
            String::from_utf8(self.written.lock().clone()).unwrap()
        }
    }

    impl Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(gate) = &self.gate
                && let Ok(Some(error)) = gate.recv()
            {
                return Err(error.into());
            }
            self.written.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const PATIENCE: Duration = Duration::from_secs(20);

    fn start(stream: &Stream) -> Outlet {
        let tell = |left_out| format!("{left_out} left out\n");
        Outlet::start("test", stream.clone(), tell).unwrap()
    }

    #[test]
    fn lines_arrive_in_order_and_a_flush_waits_for_them() {
        let stream = Stream::open();
        let outlet = start(&stream);
        for number in 0..100 {
            outlet.offer(format!("{number}\n").into_bytes());
        }
        assert!(outlet.flush(PATIENCE));
        let all: String = (0..100).map(|number| format!("{number}\n")).collect();
        assert_eq!(stream.text(), all);
    }

    #[test]
    fn a_stuck_stream_holds_up_nobody_and_the_count_is_told() {
        let (stream, words) = Stream::gated();
        let outlet = start(&stream);
        // The writer is stuck with one batch in its hands, 1,024 more wait, the rest is left out.
        let line = "x".repeat(99);
        for _ in 0..10 * QUEUE {
            outlet.offer(format!("{line}\n").into_bytes());
        }
        assert!(!outlet.flush(Duration::from_millis(1)));
        drop(words);
        assert!(outlet.flush(PATIENCE));
        let text = stream.text();
        let last = text.lines().last().unwrap();
        let told: usize = last.strip_suffix(" left out").unwrap().parse().unwrap();
        assert_eq!(
            told + text.lines().filter(|shown| **shown == line).count(),
            10 * QUEUE
        );
    }

    #[test]
    fn a_closed_stream_ends_the_writing_only() {
        let (stream, words) = Stream::gated();
        let outlet = start(&stream);
        outlet.offer(b"one\n".to_vec());
        words.send(Some(ErrorKind::BrokenPipe)).unwrap();
        assert!(outlet.flush(PATIENCE));
        assert!(outlet.is_broken());
        outlet.offer(b"two\n".to_vec());
        assert!(outlet.flush(PATIENCE));
        assert_eq!(stream.text(), "");
    }

    #[test]
    fn a_full_disk_is_counted_and_may_heal() {
        let (stream, words) = Stream::gated();
        let outlet = start(&stream);
        outlet.offer(b"one\n".to_vec());
        words.send(Some(ErrorKind::StorageFull)).unwrap();
        drop(words);
        assert!(outlet.flush(PATIENCE));
        assert_eq!(stream.text(), "1 left out\n");
    }

    #[test]
    fn what_is_left_out_after_the_last_line_is_told_unasked() {
        let stream = Stream::open();
        let outlet = start(&stream);
        outlet.offer(b"one\n".to_vec());
        assert!(outlet.flush(PATIENCE));
        outlet.leave_out();
        // Nothing else comes: the next round of the writer tells it.
        let deadline = Instant::now() + PATIENCE;
        while !stream.text().ends_with("1 left out\n") {
            assert!(Instant::now() < deadline, "{}", stream.text());
            std::thread::yield_now();
        }
    }
}
