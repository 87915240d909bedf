package cairn;

import org.junit.AssumptionViolatedException;

/** A test wants something that only exists inside Apache's daemons, which ours are not: it says nothing about ours. */
public final class Inside extends AssumptionViolatedException {
    private static final long serialVersionUID = 1L;

    public Inside(String what) {
        super("inside of Apache's daemons: " + what);
    }
}
