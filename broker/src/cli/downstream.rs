//! Whoever reads standard output.

use std::future;
use std::io;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::oneshot;

/// Comes back when nobody reads standard output any more: a command that writes seldom would not notice for a long time
/// (`| head -1`). Never comes back where standard output is no pipe, or cannot be watched.
pub(super) async fn gone() {
    let (sender, gone) = oneshot::channel();
    let watch = move || {
        if wait().is_ok() {
            // The command may have ended.
            let _ = sender.send(());
        }
    };
    // The thread may outlive the command; it owns nothing that would be lost.
    let watched = thread::Builder::new().name("stdout".to_owned()).spawn(watch).is_ok();
    match watched && gone.await.is_ok() {
        true => {}
        false => future::pending().await,
    }
}

/// Errors and hang-ups are told without being asked for, so nothing else is: files and terminals have nothing to tell.
fn wait() -> Result<(), Errno> {
    let stdout = io::stdout();
    loop {
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        match poll(&mut watched, None) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
