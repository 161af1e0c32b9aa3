//! When a medium fails under a mapping, the process gets SIGBUS. This names file and offset before it ends
//! (durability 22): whoever restarts it then knows where to look, and the journal has what was acknowledged.
//!
//! The table of mappings is made of atomics alone, since a signal handler may neither lock nor allocate.

use std::{
    ffi::{CString, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr::null_mut,
    sync::{
        Once,
        atomic::{AtomicPtr, AtomicUsize, Ordering},
    },
};

/// Mappings that are known by name; of those above, the handler says only the address.
const ENTRIES: usize = 4096;

static TABLE: [Entry; ENTRIES] = [const { Entry::empty() }; ENTRIES];
static INSTALL: Once = Once::new();

struct Entry {
    start: AtomicUsize,
    end: AtomicUsize,
    file_offset: AtomicUsize,
    /// A C string that lives as long as the mapping does; null where the entry is free.
    path: AtomicPtr<i8>,
}

impl Entry {
    const fn empty() -> Self {
        Self {
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            file_offset: AtomicUsize::new(0),
            path: AtomicPtr::new(null_mut()),
        }
    }
}

/// A mapping's entry in the table; free again when this goes.
pub(super) struct Name {
    entry: Option<&'static Entry>,
    _path: CString,
}

impl Name {
    /// Remembers what is mapped where, and makes sure that the handler is installed.
    pub(super) fn register(map: &[u8], path: &Path, file_offset: u64) -> Self {
        INSTALL.call_once(install);
        let path = CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
        let entry = TABLE.iter().find(|entry| claim(entry, &path));
        if let Some(entry) = entry {
            let start = map.as_ptr().addr();
            entry.file_offset.store(usize::try_from(file_offset).unwrap_or(usize::MAX), Ordering::Relaxed);
            entry.start.store(start, Ordering::Relaxed);
            entry.end.store(start + map.len().next_multiple_of(4096), Ordering::Release);
        }
        Self { entry, _path: path }
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if let Some(entry) = self.entry {
            entry.end.store(0, Ordering::Release);
            entry.path.store(null_mut(), Ordering::Release);
        }
    }
}

fn claim(entry: &Entry, path: &CString) -> bool {
    let path = path.as_ptr().cast_mut().cast();
    entry.path.compare_exchange(null_mut(), path, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

#[expect(unsafe_code, reason = "signal handlers are the kernel's interface")]
fn install() {
    // SAFETY: the structure is plain data for which zeros are valid, and the handler does only what a signal
    // handler may: it loads atomics, writes to a descriptor, and gives the signal back to its default.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESETHAND;
        libc::sigaction(libc::SIGBUS, &raw const action, null_mut());
    }
}

#[expect(unsafe_code, reason = "signal handlers are the kernel's interface")]
extern "C" fn handle(_signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid structure, and for SIGBUS it has an address.
    let address = unsafe { (*info).si_addr() }.addr();
    let mapped = TABLE
        .iter()
        .find(|e| (e.start.load(Ordering::Acquire)..e.end.load(Ordering::Acquire)).contains(&address));
    say(b"a mapped file cannot be read (SIGBUS): ");
    if let Some(entry) = mapped {
        say_text(entry.path.load(Ordering::Acquire));
        say(b" at byte ");
        let offset =
            address - entry.start.load(Ordering::Relaxed) + entry.file_offset.load(Ordering::Relaxed);
        say_number(offset);
    } else {
        say(b"no known file");
    }
    say(b"\n");
    // SA_RESETHAND: on return the same instruction fails again, and the default ends the process.
}

fn say(text: &[u8]) {
    // Nothing can be done where nobody listens.
    let _ = rustix::io::write(rustix::stdio::stderr(), text);
}

#[expect(unsafe_code, reason = "a C string from the table")]
fn say_text(path: *const i8) {
    if path.is_null() {
        return;
    }
    // SAFETY: the entry's mapping was just touched, so its owner lives, and with it the string.
    say(unsafe { std::ffi::CStr::from_ptr(path.cast()) }.to_bytes());
}

fn say_number(mut number: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 || at == 0 {
            break;
        }
    }
    say(&digits[at..]);
}
