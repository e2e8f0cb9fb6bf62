//! A program on a pseudo-terminal: types, reads the screen, resizes the window.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::pty::{OpenptyResult, Winsize, openpty};

use super::{Output, bounded, seconds, wait_for};

/// A program and the terminal that it has.
pub struct Terminal {
    master: File,
    name: String,
    screen: Arc<Mutex<String>>,
    seen: usize,
    program: Child,
}

impl Terminal {
    /// Runs the command with a terminal of 24 rows and 80 columns as its controlling one.
    pub fn run(command: &Command) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
        let name = nix::unistd::ttyname(&slave).unwrap().display().to_string();
        let program = Command::new("setsid")
            .args(["--ctty", "--wait"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave))
            .spawn()
            .unwrap();
        let master = File::from(master);
        let screen = Arc::new(Mutex::new(String::new()));
        std::thread::spawn({
            let (screen, master) = (Arc::clone(&screen), master.try_clone().unwrap());
            move || copy_to_screen(master, &screen)
        });
        Self { master, name, screen, seen: 0, program }
    }

    /// Types these characters; `\x03` is Ctrl-C, `\x1a` Ctrl-Z.
    pub fn send(&mut self, characters: &str) {
        self.master.write_all(characters.as_bytes()).unwrap();
    }

    /// Waits for these words on the part of the screen that was not yet waited for. What is typed is echoed: write
    /// `echo rea''dy` to tell the two apart.
    #[track_caller]
    pub fn expect(&mut self, words: &str) {
        self.expect_within(seconds(20), words);
    }

    /// Types a line again and again until it brings these words on the screen.
    #[track_caller]
    pub fn ask_until(&mut self, line: &str, words: &str) {
        wait_for(&format!("{words:?} on the terminal"), seconds(20), || {
            self.send(line);
            std::thread::sleep(Duration::from_millis(200));
            self.found(words)
        });
    }

    #[track_caller]
    fn expect_within(&mut self, limit: Duration, words: &str) {
        wait_for(&format!("{words:?} on the terminal"), limit, || self.found(words));
    }

    fn found(&mut self, words: &str) -> Option<()> {
        let screen = self.screen.lock().unwrap();
        let at = screen[self.seen..].find(words)?;
        self.seen += at + words.len();
        Some(())
    }

    /// All that was ever on the screen.
    pub fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// Gives the window another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        let (rows, columns) = (rows.to_string(), columns.to_string());
        Output::of(bounded(5, "stty").args(["-F", &self.name, "rows", &rows, "cols", &columns])).success();
    }

    /// Waits for the program's end: its exit code.
    #[track_caller]
    pub fn wait(&mut self) -> Option<i32> {
        wait_for("the program on the terminal to end", seconds(30), || self.program.try_wait().unwrap()).code()
    }
}

/// Until the last process that has the terminal is gone, which reads as an error.
fn copy_to_screen(mut master: File, screen: &Mutex<String>) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = master.read(&mut bytes) {
        screen.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- terminal\n{}", self.screen());
        }
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
