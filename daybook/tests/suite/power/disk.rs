//! A disk whose power can be cut: ext4 on a loop device whose image is in memory.
//!
//! To seal the image is the cut: from one write of the block device to the next nothing more reaches it, in the middle
//! of a sync or not, and whoever waits for that sync gets an error. What is in the image then is what a real disk would
//! hold, but for what it tears within one write.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::support::eventually;

/// Size of the image. It takes only the memory that was written.
const SIZE: u64 = 512 << 20;
const CHUNK: usize = 1 << 20;

/// A mounted disk; unmounted when dropped.
pub struct Disk {
    image: File,
    device: String,
    at: PathBuf,
}

impl Disk {
    /// A new disk, mounted; the reason, where this machine does not allow it.
    pub fn new(at: &Path) -> Result<Self, String> {
        let image = new_image();
        run("mkfs.ext4", &["-q", "-F", "-E", "lazy_itable_init=0,nodiscard", &path_of(&image)])?;
        Self::mount(image, at)
    }

    fn mount(image: File, at: &Path) -> Result<Self, String> {
        fs::create_dir_all(at).unwrap();
        let device = run("losetup", &["--find", "--show", &path_of(&image)])?;
        let device = String::from_utf8(device.stdout).unwrap().trim().to_owned();
        let disk = Self { image, device, at: at.to_owned() };
        run("mount", &["-t", "ext4", &disk.device, &at.display().to_string()])?;
        Ok(disk)
    }

    /// Cuts the power: nothing more reaches the disk.
    pub fn cut(&self) {
        fcntl_add_seals(&self.image, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK).unwrap();
    }

    /// The disk as it is found when the power is back. Whoever used it must have ended.
    pub fn back(mut self) -> Self {
        let mut copy = new_image();
        let (mut chunk, zeros) = (vec![0; CHUNK], vec![0; CHUNK]);
        self.image.seek(SeekFrom::Start(0)).unwrap();
        while self.image.read_exact(&mut chunk).is_ok() {
            if chunk == zeros {
                copy.seek(SeekFrom::Current(CHUNK as i64)).unwrap();
            } else {
                copy.write_all(&chunk).unwrap();
            }
        }
        let at = self.at.clone();
        drop(self);
        Self::mount(copy, &at).unwrap()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let at = self.at.display().to_string();
        // Nothing is mounted if that was what failed.
        if run("mountpoint", &["-q", &at]).is_ok() {
            eventually(Duration::from_secs(20), "the disk is unmounted", || run("umount", &[&at]).ok());
        }
        let _ = run("losetup", &["--detach", &self.device]);
    }
}

fn new_image() -> File {
    let image = File::from(memfd_create("daybook-disk", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap());
    image.set_len(SIZE).unwrap();
    image
}

/// A path by which other programs open the image.
fn path_of(image: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), image.as_raw_fd())
}

fn run(program: &str, args: &[&str]) -> Result<Output, String> {
    let output = Command::new(program).args(args).output().map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!("{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
