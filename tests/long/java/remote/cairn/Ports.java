package cairn;

import java.io.IOException;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Set;

/** Blocks of ports for clusters, from the property cairn.ports: the first port of each, separated by commas. */
public final class Ports {
    private static final Set<Integer> free = new LinkedHashSet<>();

    static {
        reset();
    }

    private Ports() {
    }

    /** All are free again: their users were killed. */
    public static synchronized void reset() {
        for (String base : System.getProperty("cairn.ports").split(",")) {
            free.add(Integer.valueOf(base));
        }
    }

    public static synchronized int take() throws IOException {
        if (free.isEmpty()) {
            throw new IOException("more clusters at once than there are blocks of ports");
        }
        Iterator<Integer> next = free.iterator();
        int base = next.next();
        next.remove();
        return base;
    }

    public static synchronized void giveBack(int base) {
        free.add(base); // comes last, so a port has time to be free
    }
}
