//! How far somebody has read a plan on a screen that does not hold it whole (U2): it is confirmed only once its steps and
//! its risk have been shown.

/// What a frame showed of an open plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The first of its lines that was shown.
    pub from: usize,
    /// The one after the last that was shown.
    pub to: usize,
    /// How many lines it has.
    pub of: usize,
    /// How wide the screen was: on another the lines are broken elsewhere.
    pub width: usize,
    /// Columns and rows of a screen that holds it whole.
    pub needs: (usize, usize),
}

impl Part {
    /// Whether all of it was shown.
    pub fn is_all(&self) -> bool {
        self.from == 0 && self.to >= self.of
    }

    /// How many lines were shown: what a page is.
    pub fn rows(&self) -> usize {
        self.to.saturating_sub(self.from)
    }

    /// Where the last page begins.
    pub fn furthest(&self) -> usize {
        self.of.saturating_sub(self.rows())
    }
}

/// How far a plan was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The first line that the next frame shows.
    pub from: usize,
    last: Option<Part>,
    read_to: usize,
    whole: bool,
}

impl Reading {
    /// A frame that showed this has left for the terminal. Returns whether the screen holds more or less than before.
    pub fn shown(&mut self, part: Part) -> bool {
        let resized = self.last.is_some_and(|last| (last.width, last.rows()) != (part.width, part.rows()));
        if self.last.is_some_and(|last| last.width != part.width) {
            (self.from, self.read_to) = (0, 0);
        }
        // What was leapt over was not read.
        if part.rows() > 0 && part.from <= self.read_to {
            self.read_to = self.read_to.max(part.to);
        }
        self.whole |= part.rows() > 0 && self.read_to >= part.of;
        self.last = Some(part);
        resized
    }

    /// Whether its end was reached, line by line or at once.
    pub fn whole(&self) -> bool {
        self.whole
    }

    /// Its text has changed: what was read was another.
    pub fn starts_anew(&mut self) {
        *self = Reading::default();
    }

    /// What the last frame showed, when that was not all of it.
    pub fn partly(&self) -> Option<Part> {
        self.last.filter(|part| !part.is_all())
    }

    /// Goes so many lines on, or back.
    pub fn go(&mut self, by: isize) {
        let furthest = self.last.map_or(0, |part| part.furthest());
        self.from = self.from.saturating_add_signed(by).min(furthest);
    }

    /// What to do before it can be confirmed.
    pub fn missing(&self) -> String {
        match self.last {
            Some(part) if part.rows() == 0 => {
                format!("make the window larger: {}x{}", part.needs.0, part.needs.1)
            }
            Some(_) | None => "read it to its end: Down".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(from: usize, to: usize) -> Part {
        Part { from, to, of: 10, width: 40, needs: (40, 17) }
    }

    #[test]
    fn u2_a_plan_is_read_when_every_line_of_it_was_shown() {
        let mut reading = Reading::default();
        assert!(!reading.whole(), "no frame has left yet");
        reading.shown(part(0, 4));
        reading.shown(part(6, 10));
        assert!(!reading.whole(), "two lines were leapt over");
        reading.shown(part(3, 7));
        reading.shown(part(6, 10));
        assert!(reading.whole());
        reading.starts_anew();
        assert!(!reading.whole());
        reading.shown(part(0, 10));
        assert!(reading.whole());
    }

    #[test]
    fn u2_where_no_line_has_room_the_window_must_grow() {
        let mut reading = Reading::default();
        reading.shown(Part { of: 0, ..part(0, 0) });
        reading.shown(part(0, 0));
        assert!(!reading.whole());
        assert_eq!(reading.missing(), "make the window larger: 40x17");
        reading.shown(part(0, 2));
        assert_eq!(reading.missing(), "read it to its end: Down");
    }

    #[test]
    fn u2_on_another_width_it_is_read_anew() {
        let mut reading = Reading::default();
        reading.shown(part(0, 8));
        reading.go(100);
        assert_eq!(reading.from, 2);
        reading.shown(Part { width: 30, of: 14, ..part(8, 14) });
        assert!(!reading.whole());
        assert_eq!(reading.from, 0);
    }
}
