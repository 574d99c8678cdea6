"""Which commitments count: taken in the given order, each that finds a place beside those before it."""

from __future__ import annotations

from availability.board import Board
from availability.commitments import Movable, Placing, movable, place_in_turn, related
from availability.masks import Masks
from availability.model import Item, Verdict, find_places
from availability.problem import SlotProblem


class Accepted:
    """The commitments that count, and one way to place them all beside one another."""

    def __init__(self, masks: Masks, problem: SlotProblem, effort: float) -> None:
        self.masks = masks
        self.movables: list[Movable] = []
        self.undecided: set[str] = set()
        """Those that could not be decided: whatever they touch cannot be offered."""
        self.warnings: list[str] = []
        self._now = problem.now
        self._effort = effort
        self._placings: dict[str, Placing] = {}
        for commitment in problem.commitments:
            self._take(movable(commitment, masks))

    def touching(self, groups: frozenset[str], begin: int, end: int) -> list[Movable]:
        """Those that something taking these groups' time in `[begin, end)` may push around, directly or not."""
        return related(self.movables, groups, begin, end)

    def board_for(self, movables: list[Movable], begin: int, end: int) -> Board:
        """A board that holds these commitments and everything else from `begin` to `end`."""
        first = min([begin, *(each.first for each in movables)])
        last = max([end, *(each.reach for each in movables)])
        return Board(self.masks, self._now, first, last)

    def known(self, movables: list[Movable], board: Board) -> list[Placing]:
        """Where these commitments are placed for now, on the board."""
        return [self._placings[each.id].moved(-board.begin) for each in movables]

    def _take(self, new: Movable) -> None:
        before = related(self.movables, new.groups, new.first, new.reach)
        board = self.board_for([*before, new], new.first, new.reach)
        if not self.undecided.isdisjoint(each.id for each in before):
            self._leave_undecided(new)
            return
        beside = board.taking(taken for placing in self.known(before, board) for taken in placing.taken)
        alone = place_in_turn(beside, [new])
        if alone:
            self._place([new], alone, board)
            self.movables.append(new)
            return
        everyone = [*before, new]
        placings = place_in_turn(board, everyone)
        if placings is None:
            found = find_places(
                board, [Item(each.plan, each.starts_on(board), None) for each in everyone], self._effort
            )
            if found is Verdict.UNDECIDED:
                self._leave_undecided(new)
                return
            if isinstance(found, Verdict):
                self.warnings.append(f"commitment {new.id} finds no place and is left aside")
                return
            placings = found
        self._place(everyone, placings, board)
        self.movables.append(new)

    def _leave_undecided(self, new: Movable) -> None:
        self.movables.append(new)
        self.undecided.add(new.id)
        self.warnings.append(f"commitment {new.id} could not be decided in time; starts that it touches are left out")

    def _place(self, movables: list[Movable], placings: list[Placing], board: Board) -> None:
        for each, placing in zip(movables, placings, strict=True):
            self._placings[each.id] = placing.moved(board.begin)
