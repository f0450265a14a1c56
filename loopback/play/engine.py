"""CloudFormation, played in virtual time.

From what users do, the engine makes what a custom resource and its function get to see: requests,
the statuses of stacks, and events with times and properties. It is written from AWS's pages and
from recordings of real stacks; what neither says is a setting of the story.

One greenlet of the clock plays the user, who waits for the stack to be at rest before the next
operation, and CloudFormation, which handles one resource after another.
"""

from __future__ import annotations

from dataclasses import replace

from ..cloudformation import Event
from ..sagemaker import ON_SCHEDULE
from .allowed import NO_STACK, State, is_allowed, target
from .ledger import CLEANUP, DELETION, EVENTS, FORWARD, STATUS, UNDO, Order
from .provisioning import LOGICAL_ID, SUCCESS, Provisioning, Replaced, Resource, or_kept
from .story import (
    NAME,
    ContinueRollback,
    Create,
    Declaration,
    Delete,
    Deploy,
    Happening,
    Operation,
    RollBack,
)

CLEANUP_TRIES = 3


class Engine(Provisioning):
    """Plays a story in a world."""

    def start(self) -> None:
        """Prepare the world, and schedule the first operation."""
        self.begin()
        self._was_created = self.settings.deployed
        self._task = self.clock.spawn(self._play, limit=float("inf"))

    # Happenings.

    def _happen(self, happening: Happening) -> None:
        experiment = self._experiment(NAME)
        if happening.what == "cancel":
            if self._is_cancellable and isinstance(self.operation, Deploy):
                self._note("the user cancels the update")
                self._broken_level = 0
                self._is_cancelled = True
                self._poke()
            return
        self._note(f"the experiment: {happening.what}")
        if experiment is None:
            if happening.what == "recreated":
                self._make(NAME, "Running")
            return
        if happening.what == "ends":
            experiment.conclude("Completed")
        elif happening.what == "expires":
            experiment.conclude("Completed", ON_SCHEDULE)
        else:
            experiment.conclude("Completed")
            self.ledger.gone[id(experiment)] = self.clock.now
            del self.world.sagemaker.experiments[NAME]
            if happening.what == "recreated":
                self._make(NAME, "Running")

    # Operations.

    def _play(self) -> None:
        for number, operation in enumerate(self.story.operations):
            self._sleep(operation.pause if number else 5.0)
            if not is_allowed(operation, self.state, self.story.settings):
                self.ledger.refused.append(number)
                continue
            self._sent_before = self._sent
            self.operation = operation
            self._broken_level, self._sibling_is_due = None, True
            self._is_cancelled = self._failed_kept = False
            self.ledger.played += 1
            self.ledger.began.append(self.clock.now)
            self.ledger.closed.append(self.clock.now)
            self.ledger.undone.append(False)
            self._note(f"operation {number + 1}: {type(operation).__name__}")
            for happening in operation.meanwhile:
                at = self.clock.now + happening.after
                self.clock.call_at(at, lambda happening=happening: self._happen(happening))  # type: ignore[misc]
            self._carry_out(operation)
            self._close()
        self.is_done = True

    def _close(self) -> None:
        """From now on, no sibling fails and nobody cancels."""
        if self._is_cancellable:
            self._is_cancellable = False
            self.ledger.closed[-1] = self.clock.now

    @property
    def state(self) -> State:
        """The stack between two operations."""
        status = self.root.status if self._levels else NO_STACK
        return State(status, dict(self.template), self.has_nested)

    def _carry_out(self, operation: Operation) -> None:
        if isinstance(operation, Create):
            self._create(operation)
        elif isinstance(operation, Deploy):
            self._update(operation)
        elif isinstance(operation, ContinueRollback):
            self._continue(operation)
        elif isinstance(operation, RollBack):
            self._roll_back_stack(operation)
        elif isinstance(operation, Delete):
            self._delete(operation)

    # Create.

    def _create(self, operation: Create) -> None:
        declared = self.settings.declared
        self._new_stacks(self.clock.now)
        self.has_nested = True
        self.resources = {}
        self.template = {LOGICAL_ID: declared}
        self._was_created = False
        if operation.experiment == "created" and self._experiment(NAME) is None:
            self._make(NAME, "Running")
        self._is_cancellable = True
        self._enter(0, "CREATE_IN_PROGRESS")
        if operation.experiment != "outside" and self._experiment(NAME) is not None:
            verb = "IMPORT" if operation.experiment == "imported" else "CREATE"
            event = Event(
                self.clock.now,
                "ShadowTest",
                NAME,
                "AWS::SageMaker::InferenceExperiment",
                f"{verb}_COMPLETE",
            )
            self.home.events.append(event)
        ok = self._create_level(0, operation)
        self._close()
        if ok:
            self._settle_creation()
            return
        if operation.on_failure == "DO_NOTHING":
            self._arm()
            return
        self._sleep(0.4)
        if operation.on_failure == "DELETE":
            self._enter(0, "DELETE_IN_PROGRESS")
            for order in self._open:
                self._sign_of(order, 0, STATUS, "DELETE_IN_PROGRESS")
            self._delete_levels(0, of_a_creation=True)
            return
        if self.root.status != "ROLLBACK_IN_PROGRESS":
            self._enter(0, "ROLLBACK_IN_PROGRESS")
        self._sleep(4.0)
        self._undo_creation()

    def _undo_creation(self) -> None:
        if self._delete_content(0, of_a_creation=True):
            self._enter(0, "ROLLBACK_COMPLETE")
            self.template = {}
        else:
            self._enter(0, "ROLLBACK_FAILED")

    def _create_level(self, level: int, operation: Operation) -> bool:
        self._sleep(2.5)
        if operation.fails == "before" and operation.level == self._from_home(level):
            self._sibling_is_due = False
            self._fail_sibling(operation, level)
            return self._creation_failed(level, operation)
        if level < self.settings.depth:
            parent_waits = level + 1
            self._write_child(parent_waits, "CREATE_IN_PROGRESS")
            self._sleep(0.5)
            self._enter(parent_waits, "CREATE_IN_PROGRESS")
            ok = self._create_level(parent_waits, operation)
            if self._broken_level is not None and self._broken_level <= level:
                return self._creation_failed(level, operation)
            if not ok:
                self._sleep(self.settings.parent_lag)
                self._write_child(parent_waits, "CREATE_FAILED")
                self._sign(level, EVENTS, "CREATE_FAILED of the nested stack")
                return self._creation_failed(level, operation)
            self._write_child(parent_waits, "CREATE_COMPLETE")
        else:
            for logical_id, declared in self.template.items():
                if not self._create_resource(logical_id, declared):
                    return self._creation_failed(level, operation)
        if operation.fails == "after" and operation.level == self._from_home(level):
            self._sleep(operation.fails_after)
            self._fail_sibling(operation, level)
        if self._broken_level is not None or self._failed_kept:
            return self._creation_failed(level, operation)
        self._sleep(0.5)
        self._enter(level, "CREATE_COMPLETE")
        return True

    def _creation_failed(self, level: int, operation: Operation) -> bool:
        if self._broken_level is not None and self._broken_level < level:
            return False  # the stack above failed; it says what happens next
        self._sleep(0.7)
        is_kept = operation.keeps or level > 0
        if is_kept or getattr(operation, "on_failure", "") == "DELETE":
            if is_kept:
                self._enter(level, "CREATE_FAILED")
        else:
            self._enter(level, "ROLLBACK_IN_PROGRESS")
        return False

    def _from_home(self, level: int) -> int:
        """How many stacks are between ours and the one at a level."""
        return int(self.settings.depth) - level

    def _create_resource(self, logical_id: str, declared: Declaration) -> bool:
        self._grant()
        self._granted.add(declared.experiment)
        resource = self.resources[logical_id] = Resource(logical_id, declared, declared)
        order = None
        if "Create" in declared.stop_on:
            order = Order(None, (declared,), self.clock.now, is_due=True)
        result = self._ask("Create", resource, declared, phase=FORWARD, order=order)
        if not resource.physical_id:
            # What CloudFormation makes up if nobody tells it.
            resource.physical_id = f"{self.home.name}-{logical_id}-1A2B3C4D5E6F"
        return result == SUCCESS

    def _settle_creation(self) -> None:
        self._was_created = True
        for resource in self.resources.values():
            resource.is_new = resource.is_touched = resource.is_armed = False
            resource.standing = (resource.deployed,)
            resource.before = resource.deployed

    # Update.

    def _update(self, operation: Deploy) -> None:
        following = target(operation, self.state, self.story.settings)
        assert following is not None
        was_failed = self.root.status in ("UPDATE_FAILED", "CREATE_FAILED")
        if not was_failed:
            for resource in self.resources.values():
                resource.before = resource.deployed
                resource.is_new = resource.is_touched = resource.is_armed = False
                resource.replaced = []
            self._stable = (dict(self.template), self.has_nested)
        nested = self.has_nested
        if self.settings.depth:
            nested = operation.change != "remove nested" and (
                self.has_nested or operation.change == "add"
            )
        self.root.last_updated = self.clock.now
        self._is_cancellable = True
        self._enter(0, "UPDATE_IN_PROGRESS")
        ok = self._update_level(0, operation, following, nested=nested)
        self._close()
        self.template = following
        if ok:
            self._finish_update(following, nested=nested)
        elif operation.keeps:
            self._keep_failure()
        else:
            self._roll_back()

    def _update_level(
        self, level: int, operation: Deploy, target: dict[str, Declaration], *, nested: bool
    ) -> bool:
        """Update one stack and what is below it; whether it succeeds."""
        self._sleep(2.5)
        if operation.fails == "before" and operation.level == self._from_home(level):
            self._sibling_is_due = False
            self._fail_sibling(operation, level)
        if self._broken_level is not None:
            return False
        if level == self.settings.depth:
            is_done = self._update_resources(target, operation)
            if is_done or operation.keeps:
                self._sleep(operation.lingers)
            if not is_done:
                self._own_failed(level, operation)
                return False
        elif nested and not self._update_below(level, operation, target):
            return False
        if operation.fails == "after" and operation.level == self._from_home(level):
            self._sleep(operation.fails_after)
            self._fail_sibling(operation, level)
        is_new = level > 0 and not self.has_nested
        if self._broken_level is not None:
            return False
        self._sleep(0.5)
        if self._failed_kept:
            self._enter(level, "CREATE_FAILED" if is_new else "UPDATE_FAILED")
            return False
        self._enter(level, "CREATE_COMPLETE" if is_new else "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        return True

    def _update_below(self, level: int, operation: Deploy, target: dict[str, Declaration]) -> bool:
        """Update or create the nested stack of a level; whether it succeeds."""
        below = level + 1
        verb = "UPDATE" if self.has_nested else "CREATE"
        if not self.has_nested and below == 1:
            self._new_stacks(self.clock.now, 1)
        self._write_child(below, f"{verb}_IN_PROGRESS")
        self._sleep(0.5)
        self._enter(below, f"{verb}_IN_PROGRESS")
        ok = self._update_level(below, operation, target, nested=True)
        if self._broken_level is not None and self._broken_level <= level:
            return False
        if not ok:
            return self._child_failed(level, operation, verb)
        self._write_child(below, f"{verb}_COMPLETE")
        return True

    def _own_failed(self, level: int, operation: Deploy) -> None:
        """Our resource failed: its stack fails with it."""
        if self._broken_level is not None:
            return
        if operation.keeps:
            self._sleep(0.5)
            self._enter(level, "UPDATE_FAILED" if self.has_nested or not level else "CREATE_FAILED")
            return
        self._broken_level = level

    def _child_failed(self, level: int, operation: Deploy, verb: str) -> bool:
        """A nested stack failed by itself; its parent gets to know."""
        if operation.keeps:
            self._sleep(self.settings.parent_lag)
            self._write_child(level + 1, f"{verb}_FAILED")
            self._enter(level, "UPDATE_FAILED")
        return False

    def _update_resources(self, target: dict[str, Declaration], operation: Deploy) -> bool:
        for logical_id, declared in target.items():
            resource = self.resources.get(logical_id)
            if resource is None:
                if not self._create_resource(logical_id, declared):
                    return False
                continue
            is_failed = resource.status in ("UPDATE_FAILED", "CREATE_FAILED")
            if resource.deployed.properties() == declared.properties() and not is_failed:
                continue
            if resource.status == "CREATE_FAILED":
                # A failed creation is made anew by a retry.
                if not self._create_resource(logical_id, declared):
                    return False
                continue
            if not self._update_resource(resource, declared):
                if operation.keeps:
                    self._keep_resource(resource, declared)
                return False
        return True

    def _update_resource(self, resource: Resource, declared: Declaration) -> bool:
        old = resource.deployed
        self._granted.add(declared.experiment)
        order = None
        standing = resource.standing or (old,)
        acts = "Update" in declared.stop_on
        wanted = [
            former
            for former in standing
            if declared.says_another_end(former)
            and (acts or (declared.end_now and not former.end_now))
        ]
        # Going back to what may still be deployed is no order.
        shown = all(declared.is_due_after(former) for former in (old, *standing))
        if wanted and (resource.is_armed or not resource.is_new):
            order = Order(None, (declared,), self.clock.now, is_due=shown and not resource.is_new)
        if declared.experiment != old.experiment and "Create" in declared.stop_on:
            # A rename replaces the resource: the new one is created.
            order = Order(None, (declared,), self.clock.now, is_due=False)
        resource.is_touched = True
        resource.attempted = declared
        result = self._ask("Update", resource, declared, old, phase=FORWARD, order=order)
        resource.deployed = declared
        if result == SUCCESS and self.operation.keeps and not resource.is_new:
            # If the stack fails after that, nobody can say which of the two is deployed.
            resource.standing = _both(standing, declared)
        return result == SUCCESS

    def _keep_resource(self, resource: Resource, declared: Declaration) -> None:
        """Without rollback, our resource failed."""
        before = resource.before
        if self.operation.express or self.settings.restores_failed:
            self._sleep(2.0)
            if self._ask("Update", resource, before, declared, phase=UNDO) == SUCCESS:
                resource.deployed = before
                resource.standing = _both(resource.standing, declared)
                resource.status = "UPDATE_FAILED"
                return
        if not resource.is_new:
            resource.standing = _both(resource.standing, declared)
        if self.settings.after_failure == "old":
            resource.deployed = before

    def _arm(self) -> None:
        """A failure is kept, and so is what it has created."""
        for resource in self.resources.values():
            if resource.is_new and resource.status.endswith("_COMPLETE"):
                resource.is_armed, resource.standing = True, (resource.deployed,)

    def _keep_failure(self) -> None:
        self._arm()
        if self.root.status != "UPDATE_FAILED":
            self._enter(0, "UPDATE_FAILED")

    def _finish_update(self, target: dict[str, Declaration], *, nested: bool) -> None:
        """The clean-up of an update, which nothing takes back."""
        self._was_created = True
        for logical_id, declared in target.items():
            self.resources[logical_id].standing = (declared,)
        self.has_nested, had_nested = nested, self.has_nested
        self._sleep(1.0)
        if had_nested and not nested and self.settings.depth:
            self._remove_nested()
        elif had_nested or not self.settings.depth:
            self._clean_up(target)
        for level in range(1, self.settings.depth + 1):
            if nested and self._levels[level].status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
                self._enter(level, "UPDATE_COMPLETE")
                self._sleep(0.6)
                self._write_child(level, "UPDATE_COMPLETE")
        self._sleep(0.5)
        self._enter(0, "UPDATE_COMPLETE")
        for resource in self.resources.values():
            resource.is_new = resource.is_touched = resource.is_armed = False
            resource.before = resource.deployed
            resource.standing = (resource.deployed,)

    def _clean_up(self, target: dict[str, Declaration]) -> None:
        shared = [each.experiment for each in target.values()]
        for resource in list(self.resources.values()):
            for each in resource.replaced:
                order = self._deletion_order(self._meant(each), is_due=False)
                self._delete_in_cleanup(resource, each.declared, each.physical_id, order)
                if each.declared.experiment not in shared:
                    self._granted.discard(each.declared.experiment)
            resource.replaced = []
            if resource.logical_id not in target:
                # While another one of the stack holds it, its deletion is the one that ends it. One
                # that a failed update has made may leave it.
                held = [
                    each.deployed.experiment
                    for each in self.resources.values()
                    if each is not resource
                ]
                is_due = (
                    resource.deployed.experiment not in [*shared, *held] and not resource.is_new
                )
                order = self._deletion_order(resource.standing, resource.deployed, is_due=is_due)
                self._delete_in_cleanup(resource, resource.deployed, resource.physical_id, order)
                del self.resources[resource.logical_id]
                if resource.deployed.experiment not in shared:
                    self._granted.discard(resource.deployed.experiment)
        if not self.resources and self._has_role:
            self._sleep(1.0)
            self._take_away_function()
        self._list()

    def _meant(self, replaced: Replaced) -> tuple[Declaration, ...]:
        """The ends that the clean-up of a replaced id may carry out.

        If the update that replaced it failed, its user may no longer want a promotion.
        """
        if replaced.operation == len(self.ledger.began):
            return replaced.meant
        return or_kept(replaced.meant)

    def _deletion_order(
        self,
        standing: tuple[Declaration, ...],
        told: Declaration | None = None,
        *,
        is_due: bool = True,
    ) -> Order | None:
        ends = tuple(declared for declared in standing if "Delete" in declared.stop_on)
        if not ends:
            return None
        one_end = len(ends) == len(standing) and (
            len({(each.experiment, each.end) for each in ends}) == 1
        )
        is_doubtful = told is not None and (told.end, told.stop_on) != (
            ends[0].end,
            ends[0].stop_on,
        )
        due = is_due and one_end
        if len({(each.experiment, each.as_outcome) for each in standing}) > 1:
            # Only where everything that may be wanted promotes the same is it promoted.
            ends = or_kept(ends)
        return Order(None, ends, self.clock.now, is_due=due, is_doubtful=is_doubtful)

    def _delete_in_cleanup(
        self, resource: Resource, declared: Declaration, physical_id: str, order: Order | None
    ) -> bool:
        for _ in range(CLEANUP_TRIES):
            again = replace(order, signs=[]) if order else None
            result = self._ask(
                "Delete", resource, declared, phase=CLEANUP, order=again, physical_id=physical_id
            )
            if result == SUCCESS:
                return True
            self._sleep(5.0)
        return False

    def _remove_nested(self) -> None:
        """The clean-up deletes the nested stack, with everything in it."""
        self._write_child(1, "DELETE_IN_PROGRESS")
        for attempt in range(CLEANUP_TRIES):
            self._sleep(0.4)
            self._enter(1, "DELETE_IN_PROGRESS")
            if self._delete_content(1, of_a_creation=False):
                self._enter(1, "DELETE_COMPLETE")
                self._write_child(1, "DELETE_COMPLETE")
                return
            self._enter(1, "DELETE_FAILED")
            if attempt + 1 < CLEANUP_TRIES:
                self._sleep(5.0)
        self._write_child(1, "DELETE_FAILED")
        self.resources = {}

    # Rollback.

    def _roll_back(self) -> None:
        """From the stack where something failed to the root, and then down again."""
        failed = self._broken_level if self._broken_level is not None else self.settings.depth
        in_new = failed > 0 and not self.has_nested
        if not self._is_cancelled:
            self._sleep(0.3)
        if in_new:
            for level in range(self.settings.depth, 0, -1):
                self._enter(level, "CREATE_FAILED")
                self._sleep(self.settings.parent_lag)
                self._write_child(level, "CREATE_FAILED")
                self._sign(level - 1, EVENTS, "CREATE_FAILED")
            self._sleep(0.3)
            self._enter(0, "UPDATE_ROLLBACK_IN_PROGRESS")
        else:
            self._enter(failed, "UPDATE_ROLLBACK_IN_PROGRESS")
            for level in range(failed + 1, self.settings.depth + 1):
                if self._exists(level) and self._levels[level].status == "UPDATE_IN_PROGRESS":
                    self._sleep(0.3)
                    self._enter(level, "UPDATE_ROLLBACK_IN_PROGRESS")
            for level in range(failed - 1, -1, -1):
                self._sleep(self.settings.parent_lag)
                self._write_child(level + 1, "UPDATE_FAILED")
                self._sleep(0.3)
                self._enter(level, "UPDATE_ROLLBACK_IN_PROGRESS")
        self._undo()

    def _exists(self, level: int) -> bool:
        return level < len(self._levels)

    def _undo(self) -> None:
        """Undo what the update did, from the root down, and clean up."""
        if not self._undo_level(0):
            return
        self._sleep(1.0)
        stable, had_nested = self._stable
        if self.settings.depth and not had_nested:
            self._delete_new_nested()
        else:
            for resource in list(self.resources.values()):
                self._clean_up_undone(resource, [each.experiment for each in stable.values()])
        if not self.resources and self._has_role:
            self._take_away_function()
        self.template, self.has_nested = dict(stable), had_nested
        for level in range(1, self.settings.depth + 1):
            if had_nested:
                self._enter(level, "UPDATE_ROLLBACK_COMPLETE")
                self._write_child(level, "UPDATE_COMPLETE")
                self._sleep(0.6)
        self._enter(0, "UPDATE_ROLLBACK_COMPLETE")
        for resource in self.resources.values():
            resource.is_new = resource.is_touched = resource.is_armed = False

    def _delete_new_nested(self) -> None:
        if not self._exists(1) or self._levels[1].status in ("DELETE_COMPLETE", ""):
            return
        self._write_child(1, "DELETE_IN_PROGRESS")
        self._sleep(0.4)
        self._enter(1, "DELETE_IN_PROGRESS")
        self._delete_content(1, of_a_creation=True)
        self._enter(1, "DELETE_COMPLETE")
        self._write_child(1, "DELETE_COMPLETE")

    def _clean_up_undone(self, resource: Resource, stays: list[str]) -> None:
        """Delete what the update had made."""
        for each in resource.replaced:
            self._delete_in_cleanup(resource, each.declared, each.physical_id, None)
            if each.declared.experiment not in stays:
                self._granted.discard(each.declared.experiment)
        resource.replaced = []
        if resource.is_new:
            self._delete_in_cleanup(resource, resource.deployed, resource.physical_id, None)
            del self.resources[resource.logical_id]
            if resource.deployed.experiment not in stays:
                self._granted.discard(resource.deployed.experiment)

    def _undo_level(self, level: int) -> bool:
        ok = True
        if level < self.settings.depth:
            below = level + 1
            if self._stable[1] and self._exists(below):
                self._sleep(2.0)
                self._write_child(below, "UPDATE_IN_PROGRESS")
                self._sleep(0.5)
                if self._levels[below].status != "UPDATE_ROLLBACK_IN_PROGRESS":
                    self._enter(below, "UPDATE_ROLLBACK_IN_PROGRESS")
                ok = self._undo_level(below)
                self._write_child(below, "UPDATE_COMPLETE" if ok else "UPDATE_FAILED")
        else:
            self._sleep(4.0)
            for resource in list(self.resources.values()):
                ok = self._undo_resource(resource) and ok
        if self.operation.undo_fails and self.operation.level == self._from_home(level):
            self._write_sibling(level, "UPDATE_FAILED")
            ok = False
        self._sleep(0.5)
        self._enter(
            level,
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" if ok else "UPDATE_ROLLBACK_FAILED",
        )
        return ok

    def _undo_resource(self, resource: Resource) -> bool:
        if resource.is_new or not resource.is_touched:
            return True
        operation = self.operation
        if isinstance(operation, ContinueRollback) and operation.how != "plain":
            if self.settings.skipping == "old":
                resource.deployed = resource.before
            self._write(resource, "UPDATE_COMPLETE")
            resource.is_touched, resource.is_skipped = False, True
            return True
        self._granted.add(resource.before.experiment)
        old = resource.attempted or resource.deployed
        if self._ask("Update", resource, resource.before, old, phase=UNDO) != SUCCESS:
            is_other = (old.end, old.as_outcome) != ("promote", resource.before.as_outcome)
            if resource.before.end == "promote" and is_other:
                # What may still be there makes it milder: nobody can say whether it is promoted.
                resource.standing = or_kept((resource.before,))
            return False
        resource.deployed = resource.before
        resource.is_touched = False
        return True

    def _continue(self, _operation: ContinueRollback) -> None:
        self._enter(0, "UPDATE_ROLLBACK_IN_PROGRESS")
        self._sleep(1.0)
        self._undo()

    def _roll_back_stack(self, _operation: RollBack) -> None:
        if self.root.status == "CREATE_FAILED":
            self._enter(0, "ROLLBACK_IN_PROGRESS")
            self._sleep(3.0)
            self._undo_creation()
            return
        for resource in self.resources.values():
            if not resource.is_new:
                resource.standing = (resource.before,)
        self._enter(0, "UPDATE_ROLLBACK_IN_PROGRESS")
        self._sleep(2.0)
        self._undo()

    # Delete.

    def _delete(self, operation: Delete) -> None:
        self._enter(0, "DELETE_IN_PROGRESS")
        self._delete_levels(0, of_a_creation=False, force=operation.force)

    def _delete_levels(self, level: int, *, of_a_creation: bool, force: bool = False) -> bool:
        ok = self._delete_content(level, of_a_creation=of_a_creation, force=force)
        self._enter(level, "DELETE_COMPLETE" if ok else "DELETE_FAILED")
        if ok and level == 0:
            self.template, self.has_nested = {}, False
        return ok

    def _delete_content(self, level: int, *, of_a_creation: bool, force: bool = False) -> bool:
        self._sleep(2.0)
        if level < self.settings.depth and self._exists(level + 1):
            below = level + 1
            if self._levels[below].status in ("", "DELETE_COMPLETE"):
                return True
            self._write_child(below, "DELETE_IN_PROGRESS")
            self._sleep(0.5)
            self._enter(below, "DELETE_IN_PROGRESS")
            ok = self._delete_content(below, of_a_creation=of_a_creation, force=force)
            self._enter(below, "DELETE_COMPLETE" if ok else "DELETE_FAILED")
            self._write_child(below, "DELETE_COMPLETE" if ok else "DELETE_FAILED")
            return ok
        ok = True
        for resource in list(self.resources.values()):
            order = None
            # A creation that failed is never an order, whoever deletes what it left.
            is_kept = resource.is_armed and self._was_created
            if not of_a_creation and (is_kept or not resource.is_new):
                is_due = not resource.is_new
                order = self._deletion_order(resource.standing, resource.deployed, is_due=is_due)
            elif isinstance(self.operation, Create) and self.operation.experiment == "created":
                # The rollback takes down the experiment itself.
                order = self._deletion_order((resource.deployed,), is_due=False)
            result = self._ask("Delete", resource, resource.deployed, phase=DELETION, order=order)
            if result == SUCCESS or force:
                del self.resources[resource.logical_id]
                self._sleep(0.5)
                if resource.deployed.experiment not in [
                    other.deployed.experiment for other in self.resources.values()
                ]:
                    self._granted.discard(resource.deployed.experiment)
            else:
                ok = False
        if ok and self._has_role:
            self._sleep(1.0)
            self._take_away_function()
            self._sleep(15.0)
        return ok


def _both(standing: tuple[Declaration, ...], declared: Declaration) -> tuple[Declaration, ...]:
    return standing if declared in standing else (*standing, declared)
