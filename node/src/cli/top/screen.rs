//! The terminal, for a view that is drawn over itself.

use std::io::{self, IsTerminal, Read, Write};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use tokio::sync::mpsc;

/// What a terminal that does not tell is taken to have.
const ROWS: usize = 24;
const COLUMNS: usize = 80;

/// The terminal while a view has it; given back as it was when this is dropped.
pub(super) struct Screen {
    /// The keyboard's settings before; none if standard input is no terminal.
    before: Option<Termios>,
}

/// What is typed meanwhile.
pub(super) struct Keys(mpsc::UnboundedReceiver<u8>);

impl Screen {
    /// Takes the other screen of the terminal on standard output, hides the cursor, and hears each key at once.
    pub(super) fn open() -> io::Result<(Self, Keys)> {
        let (heard, keys) = mpsc::unbounded_channel();
        let before = if io::stdin().is_terminal() { tcgetattr(io::stdin()).ok() } else { None };
        let screen = Self { before };
        if let Some(before) = &screen.before {
            let mut raw = before.clone();
            raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            // So that whoever reads looks up ten times a second.
            raw.special_codes[SpecialCodeIndex::VMIN] = 0;
            raw.special_codes[SpecialCodeIndex::VTIME] = 1;
            tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
            std::thread::spawn(move || listen(&heard));
        }
        write("\x1b[?1049h\x1b[?25l")?;
        Ok((screen, Keys(keys)))
    }

    /// Draws text over what is there: lines are overwritten and not cleared first, so that nothing flickers.
    pub(super) fn draw(&self, text: &str) -> io::Result<()> {
        let (rows, columns) = size();
        write(&frame(text, rows, columns))
    }
}

impl Keys {
    /// Waits until the letter `q` is typed.
    pub(super) async fn quit(&mut self) {
        while let Some(key) = self.0.recv().await {
            if matches!(key, b'q' | b'Q') {
                return;
            }
        }
        // Without a keyboard nobody can type it.
        std::future::pending().await
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = write("\x1b[?25h\x1b[?1049l");
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Passes keys on until nobody wants them.
fn listen(heard: &mpsc::UnboundedSender<u8>) {
    let mut key = [0];
    while !heard.is_closed() {
        match io::stdin().read(&mut key) {
            // Nothing was typed for a moment.
            Ok(0) => (),
            Ok(_) => {
                let _ = heard.send(key[0]);
            }
            Err(_) => return,
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => {
            (usize::from(size.ws_row), usize::from(size.ws_col))
        }
        _ => (ROWS, COLUMNS),
    }
}

/// What to write so that a screen shows the beginning of a text and nothing else.
fn frame(text: &str, rows: usize, columns: usize) -> String {
    let mut frame = String::from("\x1b[H");
    for (row, line) in text.lines().take(rows).enumerate() {
        if row > 0 {
            frame.push_str("\r\n");
        }
        frame.extend(line.chars().take(columns));
        // Clears the rest of the line.
        frame.push_str("\x1b[K");
    }
    // Clears what is below.
    frame.push_str("\x1b[J");
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_no_larger_than_the_screen_and_clears_the_rest() {
        assert_eq!(frame("one\ntwo\nthree", 2, 80), "\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J");
        assert_eq!(frame("三文字です", 9, 3), "\x1b[H三文字\x1b[K\x1b[J");
    }
}
