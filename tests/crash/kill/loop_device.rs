//! An ext4 of its own on a loop device: what is copied from its backing file while the broker stands still is what a
//! power cut would leave.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const IMAGE_BYTES: u64 = 192 * 1024 * 1024;
/// The file system's own journal must not be written while its medium is copied.
const MOUNT_OPTIONS: &str = "loop,commit=3600";

/// A mounted file system.
pub(crate) struct LoopDevice {
    image: PathBuf,
    pub(crate) mount: PathBuf,
}

impl LoopDevice {
    /// Makes and mounts one; says why where this machine does not allow it.
    #[expect(clippy::disallowed_methods, reason = "the test makes a file system, not the broker's files")]
    pub(crate) fn new(directory: &Path) -> Result<Self, String> {
        let (image, mount) = (directory.join("disk.img"), directory.join("mount"));
        unmount(&mount);
        let _ = fs::remove_file(&image);
        fs::create_dir_all(&mount).map_err(|error| error.to_string())?;
        let file = fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(IMAGE_BYTES).map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4").arg("-q").arg(&image))?;
        let device = Self { image, mount };
        device.mount()?;
        Ok(device)
    }

    fn mount(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", MOUNT_OPTIONS]).arg(&self.image).arg(&self.mount))
    }

    /// What is on the medium at one moment: a copy during which the kernel wrote something back is made again.
    pub(crate) fn snapshot(&self) -> PathBuf {
        let copy = self.image.with_extension("copy");
        loop {
            fs::copy(&self.image, &copy).expect("the medium can be copied");
            let same = Command::new("cmp").arg("-s").arg(&self.image).arg(&copy).status().expect("cmp runs");
            if same.success() {
                return copy;
            }
        }
    }

    /// Goes on with an earlier medium. Nobody may use the file system.
    #[expect(clippy::disallowed_methods, reason = "the medium is a file here")]
    pub(crate) fn restore(&self, snapshot: &Path) {
        run(Command::new("umount").arg(&self.mount)).expect("nobody uses the file system");
        fs::rename(snapshot, &self.image).expect("both are in one folder");
        self.mount().expect("a journaling file system mounts after a power cut");
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        unmount(&self.mount);
    }
}

fn unmount(mount: &Path) {
    // It may not be mounted.
    let _: Result<Output, _> = Command::new("umount").arg("-l").arg(mount).output();
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
