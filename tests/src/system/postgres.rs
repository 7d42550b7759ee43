//! A PostgreSQL server of its own in a folder, on a Unix socket. The tests of `api` use this file too.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Generous: two busy cores may take long.
const PATIENCE_ROUNDS: u32 = 1200;
const ROUND: Duration = Duration::from_millis(50);

/// A running server; ends when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    socket: PathBuf,
}

impl Server {
    /// Makes a cluster in a folder and starts its server.
    pub fn start(folder: &Path) -> Self {
        let (data, socket) = (folder.join("pg"), folder.join("socket"));
        std::fs::create_dir(&socket).unwrap();
        if rustix::process::getuid().is_root() {
            // The server refuses to run as root: it gets a user of its own, who must reach the folder.
            let user = identity();
            for path in [folder, &socket] {
                chown(path, Some(user.0), Some(user.1)).unwrap();
            }
        }
        let made = command("initdb")
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=sudare",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        let child = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "log_min_messages=fatal", "-k"])
            .arg(&socket)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, socket };
        let ready = (0..PATIENCE_ROUNDS).any(|_| {
            let asked = command("pg_isready").arg("-q").arg("-h").arg(&server.socket).status();
            let ready = asked.unwrap().success();
            if !ready {
                std::thread::sleep(ROUND);
            }
            ready
        });
        assert!(ready, "PostgreSQL did not start");
        server
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        format!("postgres://sudare@localhost/postgres?host={}", self.socket.display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT: it ends its connections and stops.
        if let Some(pid) =
            rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0))
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
        let _ = self.child.wait();
    }
}

/// A program of the newest PostgreSQL that Debian's packages have put here.
fn command(program: &str) -> Command {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed by tests/run")
        .map(|entry| entry.unwrap().path())
        .collect();
    versions.sort();
    let path =
        versions.last().expect("PostgreSQL is installed by tests/run").join("bin").join(program);
    if !rustix::process::getuid().is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    let (user, group) = identity();
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"))
        .arg("--clear-groups")
        .arg(path);
    command
}

/// Debian's own user of PostgreSQL.
fn identity() -> (u32, u32) {
    let text = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = text.lines().find(|line| line.starts_with("postgres:"));
    let mut fields = line.expect("PostgreSQL is installed by tests/run").split(':').skip(2);
    let mut next = || fields.next().unwrap().parse().unwrap();
    (next(), next())
}
