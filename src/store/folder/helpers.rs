//! A few threads that wait for the disk in the place of those who may not: syncs of several files
//! at once, and uploads that broke off.

use crossbeam_channel::Sender;
use parking_lot::Mutex;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

/// How many syncs are under way at once. A file system gathers them into one of its own commits.
const THREADS: usize = 8;

/// Something that blocks.
pub(super) type Task = Box<dyn FnOnce() + Send>;

/// The threads. They end with [`Helpers::close`].
#[derive(Debug)]
pub(super) struct Helpers(Mutex<Option<Crew>>);

#[derive(Debug)]
struct Crew {
    tasks: Sender<Task>,
    threads: Vec<JoinHandle<()>>,
}

impl Helpers {
    /// Starts them.
    pub(super) fn start() -> io::Result<Self> {
        // Unbounded: at most one task for each upload.
        let (tasks, receiver) = crossbeam_channel::unbounded::<Task>();
        let start = |number| {
            let receiver = receiver.clone();
            let run = move || {
                for task in receiver {
                    if catch_unwind(AssertUnwindSafe(task)).is_err() {
                        tracing::error!("a task of the store of files panicked");
                    }
                }
            };
            (thread::Builder::new().name(format!("files-{number}"))).spawn(run)
        };
        let threads = (0..THREADS).map(start).collect::<io::Result<_>>()?;
        Ok(Self(Mutex::new(Some(Crew { tasks, threads }))))
    }

    /// Has `task` done soon, or at once and here when the threads are gone.
    pub(super) fn run(&self, task: impl FnOnce() + Send + 'static) {
        let tasks = self.0.lock().as_ref().map(|crew| crew.tasks.clone());
        let task: Task = Box::new(task);
        match tasks {
            // The task comes back only if every thread has ended.
            Some(tasks) => {
                if let Err(task) = tasks.send(task) {
                    (task.into_inner())();
                }
            }
            None => task(),
        }
    }

    /// Ends the threads once all they were given is done.
    pub(super) fn close(&self) {
        let Some(Crew { tasks, threads }) = self.0.lock().take() else {
            return;
        };
        drop(tasks);
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store of files ended with a panic");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;

    #[test]
    fn all_is_done_before_the_end_and_after_it_too() {
        let helpers = Helpers::start().unwrap();
        let (done, is_done) = unbounded();
        helpers.run(|| panic!("a fault in a task"));
        for number in 0..100 {
            let done = done.clone();
            helpers.run(move || done.send(number).unwrap());
        }
        helpers.close();
        assert_eq!(is_done.try_iter().count(), 100);
        helpers.run(move || done.send(0).unwrap());
        assert_eq!(is_done.try_iter().count(), 1);
        helpers.close();
    }
}
